//! Locking and suspending accounts.

use banyan_core::ErrorCode;
use banyan_proto::userserver::{LoginRequest, ModerateAccountRequest, RegisterRequest, moderate_account_request::Change};

use crate::world::{World, refusal};

const ALICE: &str = "@alice:example.org";

fn change(world: &World, user_id: &str, change: Change) -> ModerateAccountRequest {
    ModerateAccountRequest { caller: world.caller(user_id), change: Some(change) }
}

#[tokio::test]
async fn a_locked_user_keeps_tokens_and_cannot_log_in() {
    let world = World::new();
    let process = world.owner("a").await;
    let session = process.register(world.registration(ALICE)).await.expect("registered");
    process.moderate(change(&world, ALICE, Change::Locked(true))).await.expect("locked");
    assert!(process.works(&session.access_token).await);
    let refused = process.login(world.login(ALICE)).await.expect_err("locked");
    assert_eq!((refused.errcode.as_deref(), refused.code), (Some("M_USER_LOCKED"), ErrorCode::Unauthenticated));
    assert_eq!(refused.extra.as_deref(), Some(r#"{"soft_logout":true}"#));
    let wrong = LoginRequest { password: "wrong".to_owned(), ..world.login(ALICE) };
    assert_eq!(refusal(process.login(wrong).await).0, "M_FORBIDDEN", "only who knows the password is told");
    process.logout(world.logout(ALICE, &session.access_token)).await.expect("a locked user may log out");
    process.moderate(change(&world, ALICE, Change::Locked(false))).await.expect("unlocked");
    process.login(world.login(ALICE)).await.expect("logged in");
}

#[tokio::test]
async fn a_suspended_user_logs_in() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    process.moderate(change(&world, ALICE, Change::Locked(true))).await.expect("locked");
    process.moderate(change(&world, ALICE, Change::Suspended(true))).await.expect("suspended");
    let account = process.reader().account(ALICE).await.expect("read").expect("the account");
    assert!(account.locked && account.suspended, "one does not lift the other");
    process.moderate(change(&world, ALICE, Change::Locked(false))).await.expect("unlocked");
    process.login(world.login(ALICE)).await.expect("logged in");
    let before = process.applied(world.log_of(ALICE));
    process.moderate(change(&world, ALICE, Change::Suspended(true))).await.expect("suspended already");
    assert_eq!(process.applied(world.log_of(ALICE)), before, "it costs no entry");
}

#[tokio::test]
async fn administrators_and_who_is_not_there_cannot_be_moderated() {
    let world = World::new();
    let process = world.owner("a").await;
    let admin = "@admin:example.org";
    process.register(RegisterRequest { admin: true, ..world.registration(admin) }).await.expect("registered");
    process.register(world.registration(ALICE)).await.expect("registered");
    assert_eq!(refusal(process.moderate(change(&world, admin, Change::Locked(true))).await).0, "M_FORBIDDEN");
    assert_eq!(refusal(process.moderate(change(&world, "@no:example.org", Change::Locked(true))).await).0, "M_NOT_FOUND");
    process.deactivate(&world, ALICE).await;
    assert_eq!(refusal(process.moderate(change(&world, ALICE, Change::Suspended(true))).await).0, "M_NOT_FOUND");
    let nothing = ModerateAccountRequest { caller: world.caller(ALICE), change: None };
    assert!(process.moderate(nothing).await.is_err());
}
