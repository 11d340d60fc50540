use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::{status::to_status, sync::SyncChunk};
use banyan_runtime::Shutdown;
use banyan_users::TokenHash;
use http::Method;
use serde_json::{Value, json};

use crate::{
    fakes::Call,
    world::{ALICE, ALICE_TOKEN, GUEST, GUEST_TOKEN, World, answer, assert_error},
};

const PATH: &str = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync";

async fn post(world: &World, query: &str, body: &Value) -> (reqwest::StatusCode, Value) {
    answer(world.request(Method::POST, &format!("{PATH}{query}"), Some(ALICE_TOKEN)).body(body.to_string())).await
}

#[tokio::test]
async fn the_request_goes_on_as_it_came_and_the_pieces_come_back() {
    let world = World::new().await;
    let pieces = world.fakes.script_sync();
    for piece in ["{ \"pos\"", " : \"p1\"}"] {
        pieces.send(Ok(SyncChunk { data: piece.as_bytes().to_vec().into() })).await.unwrap();
    }
    drop(pieces);
    let body = json!({"conn_id": "c", "lists": {}});
    let request = world.request(Method::POST, &format!("{PATH}?pos=p0&timeout=30000&set_presence=offline"), Some(ALICE_TOKEN));
    let response = request.body(body.to_string()).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.text().await.unwrap(), "{ \"pos\" : \"p1\"}");
    let Call::SlidingSync(request) = world.fakes.only() else { panic!("not a sliding sync") };
    assert_eq!((request.user_id.as_str(), request.device_id.as_str(), request.pos.as_str()), (ALICE, "DEV", "p0"));
    assert_eq!((request.timeout_ms, request.set_presence.as_str()), (30_000, "offline"));
    assert_eq!(serde_json::from_slice::<Value>(&request.body).unwrap(), body);
    assert_eq!(&request.token_hash[..], TokenHash::of(ALICE_TOKEN).as_bytes());
}

#[tokio::test]
async fn guests_may_and_wrong_parameters_are_refused() {
    let world = World::new().await;
    assert_eq!(answer(world.request(Method::POST, PATH, Some(GUEST_TOKEN)).body("{}")).await.0.as_u16(), 200);
    let Call::SlidingSync(request) = world.fakes.only() else { panic!("not a sliding sync") };
    assert_eq!((request.user_id.as_str(), request.guest), (GUEST, true));
    assert_error(&post(&world, "?timeout=soon", &json!({})).await, 400, "M_INVALID_PARAM");
    assert_error(&post(&world, "?set_presence=busy", &json!({})).await, 400, "M_INVALID_PARAM");
    assert_error(&post(&world, "", &json!([])).await, 400, "M_BAD_JSON");
    assert!(world.fakes.take().is_empty());
}

#[tokio::test]
async fn in_the_form_of_the_proposal_the_body_says_it_all() {
    const PATH: &str = "/_matrix/client/v4/sync";
    let world = World::new().await;
    let post = async |body: &Value| {
        answer(world.request(Method::POST, &format!("{PATH}?pos=ignored"), Some(ALICE_TOKEN)).body(body.to_string())).await
    };
    let body = json!({"pos": "p0", "timeout": 30_000, "set_presence": "unavailable", "conn_id": "c"});
    assert_eq!(post(&body).await.0.as_u16(), 200);
    let Call::SlidingSync(request) = world.fakes.only() else { panic!("not a sliding sync") };
    assert_eq!((request.pos.as_str(), request.timeout_ms, request.set_presence.as_str()), ("p0", 30_000, "unavailable"));
    assert!(request.stable && serde_json::from_slice::<Value>(&request.body).unwrap() == body);
    assert_eq!(post(&json!({})).await.0.as_u16(), 200);
    let Call::SlidingSync(request) = world.fakes.only() else { panic!("not a sliding sync") };
    assert_eq!((request.pos.as_str(), request.timeout_ms, request.set_presence.as_str()), ("", 0, ""));
    assert_error(&post(&json!({"set_presence": "busy"})).await, 400, "M_INVALID_PARAM");
    assert_error(&post(&json!({"timeout": "soon"})).await, 400, "M_BAD_JSON");
    assert_error(&answer(world.request(Method::POST, PATH, None).body("{}")).await, 401, "M_MISSING_TOKEN");
    assert!(world.fakes.take().is_empty());
}

#[tokio::test]
async fn an_unknown_position_is_an_answer() {
    let world = World::new().await;
    let pieces = world.fakes.script_sync();
    let unknown = ServiceError::matrix(ErrorCode::InvalidArgument, "M_UNKNOWN_POS", "unknown position");
    pieces.send(Err(to_status(&unknown))).await.unwrap();
    assert_error(&post(&world, "?pos=x", &json!({})).await, 400, "M_UNKNOWN_POS");
}

#[tokio::test]
async fn polls_that_wait_are_answered_when_the_process_ends() {
    let world = World::new().await;
    let _pieces = world.fakes.script_sync();
    let poll = tokio::spawn(answer(world.request(Method::POST, &format!("{PATH}?pos=p0"), Some(ALICE_TOKEN)).body("{}")));
    let asked = async {
        while world.fakes.take().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), asked).await.unwrap();
    let shutdown: Shutdown = world.context.shutdown.clone();
    let ended = tokio::spawn(async move { shutdown.run().await });
    world.context.shutdown.trigger();
    let (status, body) = poll.await.unwrap();
    assert_eq!((status.as_u16(), body), (200, json!({"pos": "p0", "lists": {}, "rooms": {}, "extensions": {}})));
    assert!(ended.await.unwrap(), "an orderly end");
}
