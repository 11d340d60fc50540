//! Tags of rooms.

use banyan_core::ServiceError;
use banyan_proto::userserver::SetTagRequest;

use crate::world::{Process, World, answer, refusal};

const ALICE: &str = "@alice:example.org";
const ROOM: &str = "!room:example.org";

fn request(world: &World, tag: &str, content: &str) -> SetTagRequest {
    let content = content.as_bytes().to_vec().into();
    SetTagRequest { caller: world.caller(ALICE), room_id: ROOM.to_owned(), tag: tag.to_owned(), content }
}

async fn set(process: &Process, request: SetTagRequest) -> Result<(), ServiceError> {
    answer(process.client.clone().set_tag(request).await).map(|_| ())
}

async fn tags(process: &Process) -> String {
    let data = process.reader().account_data(ALICE, Some(ROOM), "m.tag").await.expect("read").expect("tags");
    String::from_utf8(data.content.to_vec()).expect("text")
}

#[tokio::test]
async fn those_set_at_once_are_all_there_and_a_retry_undoes_nothing() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    let first = request(&world, "u.a", r#"{"order":0.5}"#);
    let (one, two) = tokio::join!(set(&process, first.clone()), set(&process, request(&world, "u.b", "{}")));
    one.and(two).expect("set");
    assert_eq!(tags(&process).await, r#"{"tags":{"u.a":{"order":0.5},"u.b":{}}}"#);
    set(&process, request(&world, "u.a", "")).await.expect("removed");
    set(&process, first).await.expect("told that it happened");
    assert_eq!(tags(&process).await, r#"{"tags":{"u.b":{}}}"#);
    let before = process.applied(world.log_of(ALICE));
    set(&process, request(&world, "u.none", "")).await.expect("nothing to remove");
    assert_eq!(process.applied(world.log_of(ALICE)), before);
}

#[tokio::test]
async fn every_refusal_has_its_code() {
    let world = World::new();
    let process = world.owner("a").await;
    assert_eq!(refusal(set(&process, request(&world, "a", "{}")).await).0, "M_NOT_FOUND");
    process.register(world.registration(ALICE)).await.expect("registered");
    let big = format!("{{\"a\":\"{}\"}}", "x".repeat(70_000));
    for (tag, content, code) in [
        ("", "{}", "M_INVALID_PARAM"),
        ("a", r#"{"order":7}"#, "M_INVALID_PARAM"),
        ("a", "[]", "M_BAD_JSON"),
        ("a", &big, "M_TOO_LARGE"),
    ] {
        assert_eq!(refusal(set(&process, request(&world, tag, content)).await).0, code);
    }
}
