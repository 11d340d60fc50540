//! Tokens that live for minutes.

use std::{sync::Arc, time::Duration};

use banyan_store::memory::{Target, WriteFault};
use banyan_users::ShortTokens;
use futures::future::join_all;

use crate::World;

const ALICE: &str = "@alice:example.org";

fn tokens(world: &World) -> ShortTokens {
    ShortTokens::for_login(Arc::new(world.store.clone()), Arc::new(world.clock.clone()), world.entropy.clone())
}

#[tokio::test(start_paused = true)]
async fn a_token_is_taken_once_whatever_replica_is_asked() {
    let world = World::new();
    world.slow_store();
    let token = tokens(&world).issue("example.org", ALICE).await.expect("a token");
    assert_eq!(tokens(&world).find("example.org", &token).await.expect("read").as_deref(), Some(ALICE));
    assert_eq!(tokens(&world).take("example.com", &token).await, Ok(None), "it belongs to its tenant");
    let replicas: Vec<_> = (0..8).map(|_| tokens(&world)).collect();
    let taken = join_all(replicas.iter().map(|replica| replica.take("example.org", &token))).await;
    assert_eq!(taken.iter().filter(|taken| taken.as_ref().is_ok_and(Option::is_some)).count(), 1, "{taken:?}");
    assert_eq!(tokens(&world).find("example.org", &token).await, Ok(None));
}

#[tokio::test]
async fn a_token_ends() {
    let world = World::new();
    let tokens = tokens(&world);
    let token = tokens.issue("example.org", ALICE).await.expect("a token");
    world.clock.advance(tokens.lifetime() + Duration::from_secs(1));
    assert_eq!(tokens.find("example.org", &token).await, Ok(None));
    assert_eq!(tokens.take("example.org", &token).await, Ok(None));
    assert_eq!(tokens.take("example.org", "made-up").await, Ok(None));
}

#[tokio::test]
async fn a_lost_answer_of_the_store_does_not_lose_the_token() {
    for fault in [WriteFault::UnknownApplied, WriteFault::UnknownLost] {
        let world = World::new();
        world.store.control().inject(Target::Table("login_token"), fault);
        let token = tokens(&world).issue("example.org", ALICE).await.expect("a token");
        assert_eq!(tokens(&world).take("example.org", &token).await.expect("taken").as_deref(), Some(ALICE));
    }
}
