//! Filters.

use banyan_core::ServiceError;
use banyan_proto::userserver::PutFilterRequest;

use crate::world::{Process, World, answer, refusal};

const ALICE: &str = "@alice:example.org";

async fn put(world: &World, process: &Process, filter: &str) -> Result<String, ServiceError> {
    let request = PutFilterRequest { caller: world.caller(ALICE), filter: filter.as_bytes().to_vec().into() };
    answer(process.client.clone().put_filter(request).await).map(|answer| answer.filter_id)
}

#[tokio::test]
async fn the_same_filter_has_the_same_id_and_costs_one_entry() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    let id = put(&world, &process, r#"{"room": {"timeline": {"limit": 10}}, "presence": {}}"#).await.expect("stored");
    let before = process.applied(world.log_of(ALICE));
    assert_eq!(put(&world, &process, r#"{"presence":{},"room":{"timeline":{"limit":10}}}"#).await.as_ref(), Ok(&id));
    assert_eq!(process.applied(world.log_of(ALICE)), before);
    assert_ne!(put(&world, &process, "{}").await.as_ref(), Ok(&id));
    let stored = process.reader().filter(ALICE, &id).await.expect("read").expect("the filter");
    assert_eq!(stored.as_ref(), br#"{"presence":{},"room":{"timeline":{"limit":10}}}"#);
    assert!(!id.starts_with('{'));
    assert_eq!(process.reader().filter("@bob:example.org", &id).await.expect("read"), None);
}

#[tokio::test]
async fn what_is_no_filter_is_refused() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    assert_eq!(refusal(put(&world, &process, "{").await).0, "M_NOT_JSON");
    assert_eq!(refusal(put(&world, &process, "[]").await).0, "M_BAD_JSON");
    assert_eq!(refusal(put(&world, &process, r#"{"room":{"timeline":{"limit":1.5}}}"#).await).0, "M_BAD_JSON");
    assert_eq!(refusal(put(&world, &process, r#"{"room":{"timeline":{"senders":["bob"]}}}"#).await).0, "M_BAD_JSON");
    let big = format!("{{\"a\":\"{}\"}}", "x".repeat(70_000));
    assert_eq!(refusal(put(&world, &process, &big).await).0, "M_TOO_LARGE");
}
