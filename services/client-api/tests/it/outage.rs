use banyan_core::{ErrorCode, ServiceError};
use http::Method;
use serde_json::json;

use crate::world::{World, answer, assert_error};

const WHOAMI: &str = "/_matrix/client/v3/account/whoami";

#[tokio::test]
async fn without_the_store_it_says_so_and_recovers_by_itself() {
    let world = World::new().await;
    world.store.control().set_down(true);
    let without = answer(world.request(Method::GET, WHOAMI, Some("never seen"))).await;
    assert_error(&without, 503, "M_UNKNOWN");
    assert_eq!(answer(world.request(Method::GET, "/_matrix/client/versions", None)).await.0.as_u16(), 200);
    world.store.control().set_down(false);
    assert_eq!(world.get(WHOAMI).await.0.as_u16(), 200);
}

#[tokio::test]
async fn what_an_owner_keeps_to_itself_stays_there() {
    let world = World::new().await;
    world.fakes.fail("SendEvent", ServiceError::internal("row 7 of table t is corrupt"));
    let answer = world.put("/_matrix/client/v3/rooms/!r:one.test/send/m.x/1", json!({})).await;
    assert_error(&answer, 500, "M_UNKNOWN");
    assert!(!answer.1.to_string().contains("table"), "{}", answer.1);
}

#[tokio::test]
async fn the_error_of_an_owner_reaches_the_client_whole() {
    let world = World::new().await;
    let error = ServiceError::matrix(ErrorCode::TooLarge, "M_TOO_LARGE", "the event is too large");
    world.fakes.fail("SendEvent", error);
    let answer = world.put("/_matrix/client/v3/rooms/!r:one.test/send/m.x/1", json!({})).await;
    assert_error(&answer, 413, "M_TOO_LARGE");
    assert_eq!(answer.1["error"], "the event is too large");
}
