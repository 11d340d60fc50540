//! People of upstream providers: on their way, and whose accounts they have.

use std::{sync::Arc, time::Duration};

use banyan_users::{ExternalIds, SsoFlow, SsoFlows, sso::external_id};
use futures::future::join_all;

use crate::World;

const TENANT: &str = "example.org";

fn flows(world: &World) -> SsoFlows {
    SsoFlows::new(Arc::new(world.store.clone()), Arc::new(world.clock.clone()), world.entropy.clone())
}

fn ids(world: &World) -> ExternalIds {
    ExternalIds::new(Arc::new(world.store.clone()))
}

fn somebody(world: &World, subject: &str) -> SsoFlow {
    SsoFlow { subject: subject.to_owned(), ..flows(world).new_flow(TENANT, "corp", "/oauth2/account") }
}

#[tokio::test(start_paused = true)]
async fn somebody_comes_back_once_to_the_browser_that_they_left() {
    let world = World::new();
    world.slow_store();
    let flow = flows(&world).new_flow(TENANT, "corp", "/oauth2/link");
    let state = flows(&world).keep(&flow, "a cookie").await.expect("kept");
    assert!(flows(&world).take(TENANT, &state, "another cookie").await.expect("read").is_none());
    assert!(flows(&world).take("example.com", &state, "a cookie").await.expect("read").is_none());
    assert!(flows(&world).take(TENANT, "made-up", "a cookie").await.expect("read").is_none());
    let replicas: Vec<_> = (0..8).map(|_| flows(&world)).collect();
    let taken = join_all(replicas.iter().map(|replica| replica.take(TENANT, &state, "a cookie"))).await;
    let taken: Vec<_> = taken.into_iter().filter_map(Result::unwrap).collect();
    let [back] = &taken[..] else { panic!("{} came back", taken.len()) };
    assert_eq!((&back.nonce, &back.verifier, back.next.as_str()), (&flow.nonce, &flow.verifier, "/oauth2/link"));
}

#[tokio::test]
async fn who_takes_too_long_begins_anew() {
    let world = World::new();
    let state = flows(&world).keep(&somebody(&world, ""), "a cookie").await.expect("kept");
    world.clock.advance(SsoFlows::LIFETIME + Duration::from_secs(1));
    assert!(flows(&world).take(TENANT, &state, "a cookie").await.expect("read").is_none());
}

#[tokio::test]
async fn an_account_that_somebody_has_stays_theirs() {
    let world = World::new();
    let (carol, other) = (somebody(&world, "carol"), somebody(&world, "other"));
    assert_eq!(ids(&world).find(&carol).await.expect("read"), None);
    // Names that were only about to be taken can change.
    for name in ["@a:example.org", "@b:example.org"] {
        assert_eq!(ids(&world).assign(&carol, name, false).await.expect("assigned").user_id, name);
    }
    assert!(ids(&world).assign(&carol, "@b:example.org", true).await.expect("assigned").made);
    for made in [false, true] {
        let row = ids(&world).assign(&carol, "@c:example.org", made).await.expect("read");
        assert_eq!((row.user_id.as_str(), row.made), ("@b:example.org", true));
    }
    assert_eq!(ids(&world).find(&other).await.expect("read"), None);
    assert_eq!(external_id(&carol), "corp/carol");
}
