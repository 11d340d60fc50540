use banyan_core::ServiceError;
use http::Method;
use serde_json::json;

use crate::{
    fakes::Call,
    room::ROOM,
    world::{ALICE, GUEST, GUEST_TOKEN, World, answer, assert_error},
};

fn path(user: &str) -> String {
    format!("/_matrix/client/v3/rooms/{ROOM}/typing/{user}")
}

#[tokio::test]
async fn who_types_is_said_to_the_rooms_owner() {
    let world = World::new().await;
    for (body, typing, timeout) in [
        (json!({"typing": true, "timeout": 5000}), true, 5000),
        (json!({"typing": true}), true, 30_000),
        (json!({"typing": false}), false, 0),
    ] {
        assert_eq!(world.put(&path(ALICE), body).await.1, json!({}));
        let Call::SetTyping(request) = world.fakes.only() else { panic!("not about typing") };
        assert_eq!((request.room_id.as_str(), request.typing, request.timeout_ms), (ROOM, typing, timeout));
        assert_eq!(request.caller.unwrap().user_id, ALICE);
    }
}

#[tokio::test]
async fn nobody_types_for_another_or_in_a_room_of_others() {
    let world = World::new().await;
    assert_error(&world.put(&path(GUEST), json!({"typing": true})).await, 403, "M_FORBIDDEN");
    for body in [json!({}), json!({"typing": 1}), json!({"typing": true, "timeout": -1})] {
        assert_error(&world.put(&path(ALICE), body).await, 400, "M_BAD_JSON");
    }
    let guest = world.request(Method::PUT, &path(GUEST), Some(GUEST_TOKEN)).body("{\"typing\":true}");
    assert_error(&answer(guest).await, 403, "M_GUEST_ACCESS_FORBIDDEN");
    assert!(world.fakes.take().is_empty());
    world.fakes.fail("SetTyping", ServiceError::forbidden("no"));
    assert_error(&world.put(&path(ALICE), json!({"typing": true})).await, 403, "M_FORBIDDEN");
}
