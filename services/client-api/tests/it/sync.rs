use banyan_core::ServiceError;
use banyan_proto::{
    status::to_status,
    sync::SyncChunk,
    users::{Device, DeviceChanged, FilterStored, user_entry::Kind},
};
use banyan_runtime::Shutdown;
use banyan_users::TokenHash;
use http::Method;
use serde_json::json;

use crate::{
    fakes::Call,
    world::{ALICE, ALICE_TOKEN, World, answer, assert_error},
};

const SYNC: &str = "/_matrix/client/v3/sync";

fn chunk(text: &str) -> SyncChunk {
    SyncChunk { data: text.as_bytes().to_vec().into() }
}

#[tokio::test]
async fn the_pieces_go_to_the_client_untouched() {
    let world = World::new().await;
    let pieces = world.fakes.script_sync();
    for piece in ["{ \"next_batch\"", " : \"s1\"", "}"] {
        pieces.send(Ok(chunk(piece))).await.unwrap();
    }
    drop(pieces);
    let path = format!("{SYNC}?since=s0&timeout=30000&full_state=true&set_presence=offline&use_state_after=true");
    let response = world.request(Method::GET, &path, Some(ALICE_TOKEN)).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.text().await.unwrap(), "{ \"next_batch\" : \"s1\"}");
    let Call::Sync(request) = world.fakes.only() else { panic!("not a sync") };
    assert_eq!((request.user_id.as_str(), request.device_id.as_str(), request.since.as_str()), (ALICE, "DEV", "s0"));
    assert_eq!((request.timeout_ms, request.full_state, request.use_state_after), (30_000, true, true));
    assert_eq!(request.set_presence, "offline");
    assert_eq!(&request.token_hash[..], TokenHash::of(ALICE_TOKEN).as_bytes());
}

#[tokio::test]
async fn filters_come_as_json_or_by_id() {
    let world = World::new().await;
    let filter = FilterStored { filter_id: "f1".to_owned(), filter: b"{\"room\":{}}".to_vec().into() };
    world.user_entry(ALICE, Kind::Filter(filter)).await;
    for (param, expected) in [("f1", "{\"room\":{}}"), ("%7B%22a%22%3A1%7D", "{\"a\":1}"), ("", "")] {
        assert_eq!(world.get(&format!("{SYNC}?filter={param}")).await.0.as_u16(), 200);
        let Call::Sync(request) = world.fakes.only() else { panic!("not a sync") };
        assert_eq!(&request.filter[..], expected.as_bytes());
    }
    assert_error(&world.get(&format!("{SYNC}?filter=none")).await, 400, "M_INVALID_PARAM");
    assert_error(&world.get(&format!("{SYNC}?filter=%7B")).await, 400, "M_BAD_JSON");
    assert_error(&world.get(&format!("{SYNC}?timeout=soon")).await, 400, "M_INVALID_PARAM");
    assert_error(&world.get(&format!("{SYNC}?set_presence=busy")).await, 400, "M_INVALID_PARAM");
}

#[tokio::test]
async fn an_error_before_the_first_piece_is_an_answer() {
    let world = World::new().await;
    let pieces = world.fakes.script_sync();
    pieces.send(Err(to_status(&ServiceError::invalid_param("not a token")))).await.unwrap();
    assert_error(&world.get(&format!("{SYNC}?since=x")).await, 400, "M_INVALID_PARAM");
}

#[tokio::test]
async fn a_poll_ends_when_its_client_goes_away() {
    let world = World::new().await;
    let pieces = world.fakes.script_sync();
    let request = world.request(Method::GET, &format!("{SYNC}?since=s0"), Some(ALICE_TOKEN));
    let poll = tokio::spawn(request.send());
    let asked = async {
        while world.fakes.take().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), asked).await.unwrap();
    assert!(!pieces.is_closed());
    poll.abort();
    tokio::time::timeout(std::time::Duration::from_secs(20), pieces.closed()).await.unwrap();
}

#[tokio::test]
async fn polls_that_wait_are_answered_when_the_process_ends() {
    let world = World::new().await;
    let _pieces = world.fakes.script_sync();
    let poll = tokio::spawn(answer(world.request(Method::GET, &format!("{SYNC}?since=s0"), Some(ALICE_TOKEN))));
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
    assert_eq!((status.as_u16(), body), (200, json!({"next_batch": "s0"})));
    assert!(ended.await.unwrap(), "an orderly end");
}

/// The calls until `calls` were made.
async fn calls(world: &World, calls: usize) -> Vec<Call> {
    let mut made = world.fakes.take();
    while made.len() < calls {
        tokio::task::yield_now().await;
        made.extend(world.fakes.take());
    }
    made
}

#[tokio::test]
async fn a_device_that_syncs_is_seen_every_few_minutes() {
    let world = World::new().await;
    let device = Device { last_seen_ip: "192.0.2.1".to_owned(), last_seen: 1, ..Device::default() };
    let changed = DeviceChanged { device_id: "DEV".to_owned(), device: Some(device) };
    world.user_entry(ALICE, Kind::Device(changed)).await;
    for expected in [2, 1] {
        let pieces = world.fakes.script_sync();
        let request = world.request(Method::GET, SYNC, Some(ALICE_TOKEN));
        let sync = tokio::spawn(request.send());
        let made = calls(&world, expected).await;
        pieces.send(Ok(chunk("{}"))).await.unwrap();
        drop(pieces);
        assert_eq!(sync.await.unwrap().unwrap().status().as_u16(), 200);
        let seen = made.iter().filter_map(|call| if let Call::UpdateDevice(request) = call { Some(request) } else { None });
        let seen: Vec<_> =
            seen.map(|request| (request.device_id.as_str(), request.seen_at.as_str(), request.display_name.clone())).collect();
        assert_eq!(seen, [("DEV", "127.0.0.1", None)][..expected - 1]);
        assert!(world.fakes.take().is_empty());
    }
}

#[tokio::test]
async fn a_sync_waits_for_nobody_to_note_that_a_device_was_seen() {
    let world = World::new().await;
    let changed = DeviceChanged { device_id: "DEV".to_owned(), device: Some(Device::default()) };
    world.user_entry(ALICE, Kind::Device(changed)).await;
    world.fakes.fail("UpdateDevice", ServiceError::unavailable("not now"));
    assert_eq!(world.get(SYNC).await.0.as_u16(), 200);
}
