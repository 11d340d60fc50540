//! Account data.

use banyan_core::ServiceError;
use banyan_proto::userserver::SetAccountDataRequest;

use crate::world::{Process, World, answer, refusal};

const ALICE: &str = "@alice:example.org";

fn request(world: &World, room_id: &str, kind: &str, content: &str) -> SetAccountDataRequest {
    SetAccountDataRequest {
        caller: world.caller(ALICE),
        room_id: room_id.to_owned(),
        r#type: kind.to_owned(),
        content: content.as_bytes().to_vec().into(),
    }
}

async fn set(process: &Process, request: SetAccountDataRequest) -> Result<(), ServiceError> {
    answer(process.client.clone().set_account_data(request).await).map(|_| ())
}

#[tokio::test]
async fn it_is_kept_per_room_with_the_place_of_its_entry() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    set(&process, request(&world, "", "m.direct", "{}")).await.expect("set");
    set(&process, request(&world, "!room:example.org", "m.tag", r#"{"tags":{}}"#)).await.expect("set");
    let reader = process.reader();
    let global = reader.account_data(ALICE, None, "m.direct").await.expect("read").expect("the data");
    let room = reader.account_data(ALICE, Some("!room:example.org"), "m.tag").await.expect("read").expect("the data");
    assert_eq!(room.content.as_ref(), br#"{"tags":{}}"#);
    assert!(room.seq > global.seq && process.applied(world.log_of(ALICE)).0 == room.seq + 1);
    assert_eq!(reader.account_data(ALICE, None, "m.tag").await.expect("read"), None);
}

#[tokio::test]
async fn a_retry_does_not_undo_what_came_after_it() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    let early = request(&world, "", "a", r#"{"n":1}"#);
    set(&process, early.clone()).await.expect("set");
    set(&process, request(&world, "", "a", r#"{"n":2}"#)).await.expect("set");
    set(&process, early).await.expect("told that it happened");
    let found = process.reader().account_data(ALICE, None, "a").await.expect("read").expect("the data");
    assert_eq!(found.content.as_ref(), br#"{"n":2}"#);
}

#[tokio::test]
async fn every_refusal_has_its_code() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    let big = format!("{{\"a\":\"{}\"}}", "x".repeat(70_000));
    let cases = [
        (request(&world, "", "m.push_rules", "{}"), "M_BAD_JSON"),
        (request(&world, "!room:example.org", "m.fully_read", "{}"), "M_BAD_JSON"),
        (request(&world, "", "a", "[]"), "M_BAD_JSON"),
        (request(&world, "", "a", "{"), "M_NOT_JSON"),
        (request(&world, "not a room", "a", "{}"), "M_INVALID_PARAM"),
        (request(&world, "", "a", &big), "M_TOO_LARGE"),
        (SetAccountDataRequest { caller: world.caller("@nobody:example.org"), ..request(&world, "", "a", "{}") }, "M_NOT_FOUND"),
    ];
    for (request, code) in cases {
        assert_eq!(refusal(set(&process, request).await).0, code);
    }
}
