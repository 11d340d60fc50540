//! Owners that come and go.

use banyan_core::ErrorCode;
use banyan_runtime::ShardHost;
use futures::future::join_all;

use crate::world::{World, refusal};

const ALICE: &str = "@alice:example.org";

#[tokio::test]
async fn a_retry_at_the_next_owner_is_told_what_happened() {
    let world = World::new();
    let first = world.owner("a").await;
    let request = world.registration(ALICE);
    let made = first.register(request.clone()).await.expect("registered");
    first.kill();
    let second = world.owner("b").await;
    let again = second.register(request).await.expect("told what happened");
    assert_eq!(again.device_id, made.device_id);
    assert!(second.works(&again.access_token).await);
    assert_eq!(refusal(second.register(world.registration(ALICE)).await).0, "M_USER_IN_USE");
    assert!(second.login(world.login(ALICE)).await.is_ok());
}

#[tokio::test]
async fn a_fenced_owner_decides_nothing() {
    let world = World::new();
    let first = world.owner("a").await;
    let second = world.process("b");
    second.claim(world.log_of(ALICE)).await;
    let (late, there) = tokio::join!(first.register(world.registration(ALICE)), second.register(world.registration(ALICE)));
    let refused = refusal(late);
    assert!(matches!(refused.1, ErrorCode::NotOwner | ErrorCode::Unknown | ErrorCode::Conflict), "{refused:?}");
    assert!(there.is_ok());
    assert_eq!(second.reader().devices(ALICE).await.expect("read").len(), 1);
}

#[tokio::test]
async fn a_closed_shard_is_no_longer_answered_for() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    process.server.close(world.log_of(ALICE)).await;
    assert_eq!(refusal(process.login(world.login(ALICE)).await).1, ErrorCode::NotOwner);
}

/// What the store forgot in a crash is applied again before the new owner decides anything.
#[tokio::test]
async fn a_name_stays_taken_when_the_store_forgets_its_row() {
    let world = World::new();
    let first = world.owner("a").await;
    let users: Vec<String> = (0..40).map(|n| format!("@user{n}:example.org")).collect();
    for outcome in join_all(users.iter().map(|user_id| first.register(world.registration(user_id)))).await {
        outcome.expect("registered");
    }
    first.kill();
    world.store.control().crash();
    let reader = world.process("probe");
    let mut forgotten = 0;
    for user_id in &users {
        forgotten += usize::from(reader.reader().account(user_id).await.expect("read").is_none());
    }
    assert!(forgotten > 0, "the crash forgot something, or this test proves nothing");
    let second = world.owner("b").await;
    for user_id in &users {
        assert_eq!(refusal(second.register(world.registration(user_id)).await).0, "M_USER_IN_USE");
        assert!(second.login(world.login(user_id)).await.is_ok());
    }
}
