//! Profiles.

use banyan_core::ServiceError;
use banyan_proto::userserver::{DeactivateRequest, SetProfileRequest};
use serde_json::{Value, json};

use crate::world::{Process, World, answer, refusal};

const ALICE: &str = "@alice:example.org";

fn request(world: &World, field: &str, value: &Value) -> SetProfileRequest {
    SetProfileRequest { caller: world.caller(ALICE), field: field.to_owned(), value: value.to_string().into_bytes().into() }
}

async fn set(process: &Process, request: SetProfileRequest) -> Result<(), ServiceError> {
    answer(process.client.clone().set_profile(request).await).map(|_| ())
}

#[tokio::test]
async fn fields_are_set_and_removed() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    set(&process, request(&world, "displayname", &json!("Alice"))).await.expect("set");
    set(&process, request(&world, "org.example.pets", &json!(["cat", null]))).await.expect("set");
    let profile = process.reader().profile(ALICE).await.expect("read");
    assert_eq!(json!(profile), json!({"displayname": "Alice", "org.example.pets": ["cat", null]}));
    for _ in 0..2 {
        let remove = SetProfileRequest { value: Vec::new().into(), ..request(&world, "displayname", &json!(0)) };
        set(&process, remove).await.expect("removed");
    }
    assert_eq!(process.reader().profile_field(ALICE, "displayname").await.expect("read"), None);
}

#[tokio::test]
async fn users_are_found_by_the_name_that_they_have_and_no_other() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    let found = async |prefix: &str| process.reader().users_named(None, prefix, 10).await.expect("read").user_ids;
    assert_eq!(found("ali").await, [ALICE]);
    for name in ["Cleo Kitty", "Kitty Alice"] {
        set(&process, request(&world, "displayname", &json!(name))).await.expect("set");
        assert_eq!((found("kitty").await, found("ali").await), (vec![ALICE.to_owned()], vec![ALICE.to_owned()]));
    }
    assert!(found("cleo").await.is_empty());
    let remove = SetProfileRequest { value: Vec::new().into(), ..request(&world, "displayname", &json!(0)) };
    set(&process, remove).await.expect("removed");
    assert_eq!((found("kitty").await, found("ali").await), (Vec::new(), vec![ALICE.to_owned()]));
    set(&process, request(&world, "displayname", &json!("Zoe"))).await.expect("set");
    let erase = DeactivateRequest { caller: world.caller(ALICE), erase: true };
    process.deactivate_account(erase).await.expect("deactivated");
    assert!(found("ali").await.is_empty() && found("zoe").await.is_empty());
}

#[tokio::test]
async fn what_is_there_already_costs_no_entry() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    set(&process, request(&world, "displayname", &json!("Alice"))).await.expect("set");
    let before = process.applied(world.log_of(ALICE));
    set(&process, request(&world, "displayname", &json!("Alice"))).await.expect("set");
    assert_eq!(process.applied(world.log_of(ALICE)), before);
}

#[tokio::test]
async fn a_retry_does_not_undo_what_came_after_it() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    let early = request(&world, "displayname", &json!("Early"));
    set(&process, early.clone()).await.expect("set");
    set(&process, request(&world, "displayname", &json!("Late"))).await.expect("set");
    set(&process, early).await.expect("told that it happened");
    assert_eq!(process.reader().profile_field(ALICE, "displayname").await.expect("read"), Some(json!("Late")));
}

#[tokio::test]
async fn every_refusal_has_its_code() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    let big = json!("x".repeat(40_000));
    set(&process, request(&world, "org.example.a", &big)).await.expect("set");
    let cases = [
        (request(&world, "org.example.b", &big), "M_PROFILE_TOO_LARGE"),
        (request(&world, "nonsense", &json!(1)), "M_INVALID_PARAM"),
        (request(&world, &format!("a.{}", "b".repeat(255)), &json!(1)), "M_KEY_TOO_LARGE"),
        (request(&world, "displayname", &json!(1)), "M_BAD_JSON"),
        (request(&world, "avatar_url", &json!(1)), "M_BAD_JSON"),
        (
            SetProfileRequest { caller: world.caller("@nobody:example.org"), ..request(&world, "displayname", &json!("x")) },
            "M_NOT_FOUND",
        ),
    ];
    for (request, code) in cases {
        assert_eq!(refusal(set(&process, request).await).0, code);
    }
    process.deactivate(&world, ALICE).await;
    assert_eq!(refusal(set(&process, request(&world, "displayname", &json!("x"))).await).0, "M_USER_DEACTIVATED");
}
