use banyan_core::ServiceError;
use http::Method;
use serde_json::json;

use crate::{
    fakes::Call,
    room::{ROOM, Room},
    world::{ALICE, ALICE_TOKEN, GUEST_TOKEN, World, answer, assert_error},
};

fn receipt(kind: &str, event_id: &str) -> String {
    format!("/_matrix/client/v3/rooms/{ROOM}/receipt/{kind}/{event_id}")
}

fn markers() -> String {
    format!("/_matrix/client/v3/rooms/{ROOM}/read_markers")
}

#[tokio::test]
async fn receipts_reach_the_rooms_owner() {
    let world = World::new().await;
    for (body, thread) in [("", ""), ("{}", ""), (r#"{"thread_id":"main"}"#, "main"), (r#"{"thread_id":"$root"}"#, "$root")] {
        for kind in ["m.read", "m.read.private"] {
            let request = world.request(Method::POST, &receipt(kind, "$e1"), Some(ALICE_TOKEN)).body(body);
            assert_eq!(answer(request).await, (http::StatusCode::OK, json!({})));
            let Call::SetReceipts(request) = world.fakes.only() else { panic!("not receipts") };
            assert_eq!((request.room_id.as_str(), request.receipts.len()), (ROOM, 1));
            assert_eq!(request.caller.unwrap().user_id, ALICE);
            let receipt = &request.receipts[0];
            assert_eq!((receipt.receipt_type.as_str(), receipt.event_id.as_str()), (kind, "$e1"));
            assert_eq!(receipt.thread_id, thread);
        }
    }
}

#[tokio::test]
async fn threads_of_the_wrong_shape_or_place_are_refused() {
    let world = World::new().await;
    for thread in [json!(1), json!(""), json!(null), json!({})] {
        let refused = world.post(&receipt("m.read", "$e1"), json!({"thread_id": thread})).await;
        assert_error(&refused, 400, "M_INVALID_PARAM");
    }
    assert_error(&world.post(&receipt("m.fully_read", "$e1"), json!({"thread_id": "main"})).await, 400, "M_INVALID_PARAM");
    assert_error(&world.post(&receipt("m.seen", "$e1"), json!({})).await, 400, "M_INVALID_PARAM");
    assert_error(&world.post(&receipt("m.read", "nonsense"), json!({})).await, 400, "M_INVALID_PARAM");
    let guest = world.request(Method::POST, &receipt("m.read", "$e1"), Some(GUEST_TOKEN)).body("{}");
    assert_error(&answer(guest).await, 403, "M_GUEST_ACCESS_FORBIDDEN");
    assert!(world.fakes.take().is_empty());
    world.fakes.fail("SetReceipts", ServiceError::forbidden("no"));
    assert_error(&world.post(&receipt("m.read", "$e1"), json!({})).await, 403, "M_FORBIDDEN");
}

#[tokio::test]
async fn the_fully_read_marker_is_moved_to_the_place_of_its_event() {
    let world = World::new().await;
    assert_error(&world.post(&receipt("m.fully_read", "$e1"), json!({})).await, 403, "M_FORBIDDEN");
    Room::new(&world, &[ALICE]).await;
    assert_error(&world.post(&receipt("m.fully_read", "$e9"), json!({})).await, 404, "M_NOT_FOUND");
    assert!(world.fakes.take().is_empty());
    for (path, body) in [(receipt("m.fully_read", "$e1"), json!({})), (markers(), json!({"m.fully_read": "$e1"}))] {
        assert_eq!(world.post(&path, body).await.1, json!({}));
        let Call::MoveFullyRead(request) = world.fakes.only() else { panic!("not the marker") };
        assert_eq!((request.room_id.as_str(), request.event_id.as_str()), (ROOM, "$e1"));
        assert_eq!((request.arrival, request.sub), (1, 0));
    }
}

#[tokio::test]
async fn markers_are_moved_together() {
    let world = World::new().await;
    Room::new(&world, &[ALICE]).await;
    assert_eq!(world.post(&markers(), json!({})).await.1, json!({}));
    assert!(world.fakes.take().is_empty());
    let all = json!({"m.fully_read": "$e0", "m.read": "$e1", "m.read.private": "$e0"});
    assert_eq!(world.post(&markers(), all).await.1, json!({}));
    let calls = world.fakes.take();
    let (Call::SetReceipts(receipts), Call::MoveFullyRead(marker)) = (&calls[0], &calls[1]) else { panic!("{calls:?}") };
    let moved: Vec<_> = receipts.receipts.iter().map(|one| (one.receipt_type.as_str(), one.event_id.as_str())).collect();
    assert_eq!(moved, [("m.read", "$e1"), ("m.read.private", "$e0")]);
    assert_eq!(marker.event_id, "$e0");
    assert_error(&world.post(&markers(), json!({"m.read": 1})).await, 400, "M_BAD_JSON");
    world.fakes.fail("SetReceipts", ServiceError::forbidden("no"));
    assert_error(&world.post(&markers(), json!({"m.read": "$e1"})).await, 403, "M_FORBIDDEN");
}
