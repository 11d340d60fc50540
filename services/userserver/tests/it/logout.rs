//! Logging out.

use banyan_proto::userserver::LogoutRequest;

use crate::world::{World, refusal};

const ALICE: &str = "@alice:example.org";
const BOB: &str = "@bob:example.org";

#[tokio::test]
async fn a_token_ends_with_its_device_and_no_other() {
    let world = World::new();
    let process = world.owner("a").await;
    let first = process.register(world.registration(ALICE)).await.expect("registered");
    let second = process.login(world.login(ALICE)).await.expect("logged in");
    process.logout(world.logout(ALICE, &first.access_token)).await.expect("logged out");
    assert!(!process.works(&first.access_token).await && process.works(&second.access_token).await);
    let devices = process.reader().devices(ALICE).await.expect("read");
    assert_eq!(devices.keys().collect::<Vec<_>>(), [&second.device_id]);
    process.logout(world.logout(ALICE, &first.access_token)).await.expect("ending it again is no error");
}

#[tokio::test]
async fn nobody_ends_another_s_token() {
    let world = World::new();
    let process = world.owner("a").await;
    let alice = process.register(world.registration(ALICE)).await.expect("registered");
    process.register(world.registration(BOB)).await.expect("registered");
    assert_eq!(refusal(process.logout(world.logout(BOB, &alice.access_token)).await).0, "M_FORBIDDEN");
    assert!(process.works(&alice.access_token).await);
    let malformed = LogoutRequest { token_hash: vec![1, 2].into(), ..world.logout(ALICE, "x") };
    assert!(process.logout(malformed).await.is_err());
}

#[tokio::test]
async fn all_tokens_end_however_many_there_are() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    let bob = process.register(world.registration(BOB)).await.expect("registered");
    let mut logins = Vec::new();
    for _ in 0..230 {
        logins.push(process.login(world.login(ALICE)).await);
    }
    assert_eq!(process.reader().devices(ALICE).await.expect("read").len(), 231);
    process.logout(LogoutRequest { all: true, ..world.logout(ALICE, "") }).await.expect("logged out");
    assert!(process.reader().devices(ALICE).await.expect("read").is_empty());
    for login in logins {
        assert!(!process.works(&login.expect("logged in").access_token).await);
    }
    assert!(process.works(&bob.access_token).await);
    assert!(process.login(world.login(ALICE)).await.is_ok());
}
