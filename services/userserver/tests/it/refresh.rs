//! Refreshing tokens.

use banyan_core::ErrorCode;
use banyan_proto::{
    users::{AccessToken, RefreshToken},
    userserver::{
        ConfirmTokenRequest, LoginRequest, LoginResponse, LogoutRequest, ModerateAccountRequest, RefreshRequest, RegisterRequest,
        moderate_account_request::Change,
    },
};

use crate::world::{Process, World, hash, refusal};

const ALICE: &str = "@alice:example.org";

fn refresh(world: &World, session: &LoginResponse) -> RefreshRequest {
    let token_hash = hash(&session.refresh_token).as_bytes().to_vec().into();
    RefreshRequest { caller: world.caller(ALICE), token_hash }
}

fn used(world: &World, session: &LoginResponse) -> ConfirmTokenRequest {
    let token_hash = hash(&session.access_token).as_bytes().to_vec().into();
    ConfirmTokenRequest { caller: world.caller(ALICE), token_hash }
}

async fn session(world: &World, process: &Process) -> LoginResponse {
    process.register(RegisterRequest { refreshable: true, ..world.registration(ALICE) }).await.expect("registered")
}

async fn access(process: &Process, session: &LoginResponse) -> Option<AccessToken> {
    process.reader().access_token(&hash(&session.access_token)).await.expect("read")
}

async fn refreshable(process: &Process, session: &LoginResponse) -> Option<RefreshToken> {
    process.reader().refresh_token(&hash(&session.refresh_token)).await.expect("read")
}

#[tokio::test]
async fn only_clients_that_can_refresh_have_tokens_that_end() {
    let world = World::new();
    let process = world.owner("a").await;
    let first = session(&world, &process).await;
    let row = access(&process, &first).await.expect("the token");
    assert_eq!((row.expires - row.created, first.expires_in_ms), (3600 * 1_000_000, 3_600_000));
    let plain = process.login(world.login(ALICE)).await.expect("logged in");
    assert!(plain.refresh_token.is_empty() && access(&process, &plain).await.expect("the token").expires == 0);
    let second = process.login(LoginRequest { refreshable: true, ..world.login(ALICE) }).await.expect("logged in");
    assert!(refreshable(&process, &second).await.is_some());
}

#[tokio::test]
async fn the_old_pair_ends_when_the_new_access_token_is_used() {
    let world = World::new();
    let process = world.owner("a").await;
    let first = session(&world, &process).await;
    let second = process.refresh(refresh(&world, &first)).await.expect("refreshed");
    assert_eq!(second.device_id, first.device_id);
    assert!(access(&process, &first).await.is_some() && refreshable(&process, &first).await.is_some(), "not used yet");
    assert!(access(&process, &second).await.expect("the token").unconfirmed);
    for _ in 0..2 {
        process.confirm_token(used(&world, &second)).await.expect("confirmed");
        assert!(access(&process, &first).await.is_none() && refreshable(&process, &first).await.is_none());
        assert!(!access(&process, &second).await.expect("the token").unconfirmed && refreshable(&process, &second).await.is_some());
    }
    let refused = process.refresh(refresh(&world, &first)).await.expect_err("it was used");
    assert_eq!((refused.errcode.as_deref(), refused.code), (Some("M_UNKNOWN_TOKEN"), ErrorCode::Unauthenticated));
    assert_eq!(refused.extra.as_deref(), Some(r#"{"soft_logout":true}"#));
}

#[tokio::test]
async fn the_old_pair_ends_when_the_new_refresh_token_is_used() {
    let world = World::new();
    let process = world.owner("a").await;
    let first = session(&world, &process).await;
    let second = process.refresh(refresh(&world, &first)).await.expect("refreshed");
    let third = process.refresh(refresh(&world, &second)).await.expect("refreshed");
    assert!(access(&process, &first).await.is_none() && refreshable(&process, &first).await.is_none());
    assert!(access(&process, &second).await.is_some() && access(&process, &third).await.is_some());
    // Used late, the second access token ends nothing that came after it.
    process.confirm_token(used(&world, &second)).await.expect("confirmed");
    assert!(access(&process, &third).await.is_some() && !access(&process, &second).await.expect("the token").unconfirmed);
}

#[tokio::test]
async fn a_client_that_got_no_answer_asks_again() {
    let world = World::new();
    let process = world.owner("a").await;
    let first = session(&world, &process).await;
    let lost = process.refresh(refresh(&world, &first)).await.expect("refreshed");
    let second = process.refresh(refresh(&world, &first)).await.expect("refreshed again");
    assert!(access(&process, &lost).await.is_none() && refreshable(&process, &lost).await.is_none());
    process.confirm_token(used(&world, &second)).await.expect("confirmed");
    let device = process.reader().device(ALICE, &first.device_id).await.expect("read").expect("the device");
    assert_eq!((device.token_hashes.len(), device.refresh_hashes.len()), (1, 1));
}

#[tokio::test]
async fn logging_out_ends_refresh_tokens_and_so_does_a_new_login_on_the_device() {
    let world = World::new();
    let process = world.owner("a").await;
    let first = session(&world, &process).await;
    let second = process.refresh(refresh(&world, &first)).await.expect("refreshed");
    process.logout(LogoutRequest { all: true, ..world.logout(ALICE, "") }).await.expect("logged out");
    for session in [&first, &second] {
        assert!(access(&process, session).await.is_none() && refreshable(&process, session).await.is_none());
        assert_eq!(refusal(process.refresh(refresh(&world, session)).await).0, "M_UNKNOWN_TOKEN");
    }
    let again = || LoginRequest { refreshable: true, device_id: "PHONE".to_owned(), ..world.login(ALICE) };
    let third = process.login(again()).await.expect("logged in");
    process.login(again()).await.expect("logged in");
    assert_eq!(refusal(process.refresh(refresh(&world, &third)).await).0, "M_UNKNOWN_TOKEN");
}

#[tokio::test]
async fn who_is_locked_or_gone_or_another_cannot_refresh() {
    let world = World::new();
    let process = world.owner("a").await;
    let first = session(&world, &process).await;
    let bob = "@bob:example.org";
    process.register(world.registration(bob)).await.expect("registered");
    let stolen = RefreshRequest { caller: world.caller(bob), ..refresh(&world, &first) };
    assert_eq!(refusal(process.refresh(stolen).await).0, "M_UNKNOWN_TOKEN");
    let lock = |locked| ModerateAccountRequest { caller: world.caller(ALICE), change: Some(Change::Locked(locked)) };
    process.moderate(lock(true)).await.expect("locked");
    assert_eq!(refusal(process.refresh(refresh(&world, &first)).await).0, "M_USER_LOCKED");
    process.moderate(lock(false)).await.expect("unlocked");
    process.refresh(refresh(&world, &first)).await.expect("refreshed");
    process.deactivate(&world, ALICE).await;
    assert_eq!(refusal(process.refresh(refresh(&world, &first)).await).0, "M_UNKNOWN_TOKEN");
    let malformed = RefreshRequest { token_hash: vec![1].into(), ..refresh(&world, &first) };
    assert!(process.refresh(malformed).await.is_err());
}
