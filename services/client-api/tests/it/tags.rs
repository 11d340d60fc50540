use banyan_proto::users::{AccountDataChanged, user_entry::Kind};
use http::Method;
use serde_json::{Value, json};

use crate::{
    fakes::Call,
    room::ROOM,
    world::{ALICE, ALICE_TOKEN, GUEST, World, answer, assert_error},
};

fn tags(user: &str) -> String {
    format!("/_matrix/client/v3/user/{user}/rooms/{ROOM}/tags")
}

async fn delete(world: &World, path: &str) -> (http::StatusCode, Value) {
    answer(world.request(Method::DELETE, path, Some(ALICE_TOKEN))).await
}

#[tokio::test]
async fn tags_are_the_users_account_data() {
    let world = World::new().await;
    assert_eq!(world.get(&tags(ALICE)).await.1, json!({"tags": {}}));
    let content = json!({"tags": {"m.favourite": {"order": 0.1}, "u.Work": {}}});
    let content = content.to_string().into_bytes().into();
    let data = AccountDataChanged { room_id: ROOM.to_owned(), r#type: "m.tag".to_owned(), content };
    world.user_entry(ALICE, Kind::AccountData(data)).await;
    assert_eq!(world.get(&tags(ALICE)).await.1, json!({"tags": {"m.favourite": {"order": 0.1}, "u.Work": {}}}));
    assert_error(&world.get(&tags(GUEST)).await, 403, "M_FORBIDDEN");
}

#[tokio::test]
async fn a_tag_is_set_and_removed_by_the_owner() {
    let world = World::new().await;
    let path = format!("{}/u.Work%20and%20more", tags(ALICE));
    assert_eq!(world.put(&path, json!({"order": 0.5})).await.1, json!({}));
    let Call::SetTag(request) = world.fakes.only() else { panic!("not a tag") };
    assert_eq!((request.room_id.as_str(), request.tag.as_str()), (ROOM, "u.Work and more"));
    assert_eq!(&request.content[..], br#"{"order":0.5}"#);
    assert_eq!(delete(&world, &path).await.1, json!({}));
    let Call::SetTag(request) = world.fakes.only() else { panic!("not a tag") };
    assert!(request.content.is_empty());
}

#[tokio::test]
async fn what_is_no_tag_and_what_is_anothers_is_refused() {
    let world = World::new().await;
    let tag = |name: &str| format!("{}/{name}", tags(ALICE));
    assert_error(&world.put(&tag("a"), json!({"order": 2})).await, 400, "M_INVALID_PARAM");
    assert_error(&world.put(&tag("a"), json!({"order": "first"})).await, 400, "M_BAD_JSON");
    assert_error(&world.put(&tag(&"a".repeat(256)), json!({})).await, 400, "M_INVALID_PARAM");
    let anothers = format!("{}/a", tags(GUEST));
    assert_error(&world.put(&anothers, json!({})).await, 403, "M_FORBIDDEN");
    assert_error(&delete(&world, &anothers).await, 403, "M_FORBIDDEN");
    assert!(world.fakes.take().is_empty());
}
