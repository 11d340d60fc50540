//! Checking and changing passwords.

use banyan_core::ErrorCode;
use banyan_proto::userserver::{Caller, ChangePasswordRequest, CheckPasswordRequest, LoginRequest, LoginResponse, RegisterRequest};

use crate::world::{PASSWORD, Process, World, refusal};

const ALICE: &str = "@alice:example.org";

fn check(world: &World, user_id: &str, password: &str) -> CheckPasswordRequest {
    CheckPasswordRequest { caller: world.caller(user_id), password: password.to_owned() }
}

/// A change that keeps the session of `kept`.
fn change(world: &World, kept: &LoginResponse, new_password: &str, logout_devices: bool) -> ChangePasswordRequest {
    let caller = world.caller(ALICE).map(|caller| Caller { device_id: kept.device_id.clone(), ..caller });
    ChangePasswordRequest { caller, new_password: new_password.to_owned(), logout_devices }
}

async fn two_sessions(world: &World, process: &Process) -> (LoginResponse, LoginResponse) {
    let first = process.register(world.registration(ALICE)).await.expect("registered");
    (first, process.login(world.login(ALICE)).await.expect("logged in"))
}

#[tokio::test]
async fn a_password_is_checked_and_nothing_else_happens() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    assert_eq!(process.check_password(check(&world, ALICE, PASSWORD)).await, Ok(()));
    let wrong = process.check_password(check(&world, ALICE, "wrong")).await.expect_err("a wrong password");
    let nobody = process.check_password(check(&world, "@nobody:example.org", PASSWORD)).await.expect_err("nobody");
    assert_eq!((wrong.errcode.as_deref(), wrong.code), (Some("M_FORBIDDEN"), ErrorCode::Forbidden));
    assert_eq!(wrong, nobody);
    assert_eq!(process.reader().devices(ALICE).await.expect("read").len(), 1);
    process.deactivate(&world, ALICE).await;
    assert_eq!(refusal(process.check_password(check(&world, ALICE, PASSWORD)).await).0, "M_USER_DEACTIVATED");
}

#[tokio::test]
async fn guessing_is_slowed_down_whatever_is_asked() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    for _ in 0..5 {
        assert_eq!(refusal(process.check_password(check(&world, ALICE, "wrong")).await).0, "M_FORBIDDEN");
    }
    assert_eq!(refusal(process.check_password(check(&world, ALICE, PASSWORD)).await).0, "M_LIMIT_EXCEEDED");
    assert_eq!(refusal(process.login(world.login(ALICE)).await).0, "M_LIMIT_EXCEEDED");
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions_if_wanted() {
    let world = World::new();
    let process = world.owner("a").await;
    let (first, second) = two_sessions(&world, &process).await;
    process.change_password(change(&world, &first, "another", false)).await.expect("changed");
    assert!(process.works(&first.access_token).await && process.works(&second.access_token).await);
    assert_eq!(refusal(process.login(world.login(ALICE)).await).0, "M_FORBIDDEN");
    process.login(LoginRequest { password: "another".to_owned(), ..world.login(ALICE) }).await.expect("logged in");
    process.change_password(change(&world, &first, "a third", true)).await.expect("changed");
    assert!(process.works(&first.access_token).await && !process.works(&second.access_token).await);
    assert_eq!(process.reader().devices(ALICE).await.expect("read").len(), 1);
}

#[tokio::test]
async fn a_retry_changes_the_password_once_and_ends_what_is_left() {
    let world = World::new();
    let process = world.owner("a").await;
    let (first, _) = two_sessions(&world, &process).await;
    let request = change(&world, &first, "another", true);
    process.change_password(request.clone()).await.expect("changed");
    process.change_password(change(&world, &first, "a third", false)).await.expect("changed");
    process.change_password(request).await.expect("done already");
    process.check_password(check(&world, ALICE, "a third")).await.expect("the later change holds");
}

#[tokio::test]
async fn a_password_must_be_one_and_of_somebody() {
    let world = World::new();
    let process = world.owner("a").await;
    let session = process.register(RegisterRequest { inhibit_login: true, ..world.registration(ALICE) }).await.expect("registered");
    assert_eq!(refusal(process.change_password(change(&world, &session, "", true)).await).0, "M_WEAK_PASSWORD");
    let long = "x".repeat(1025);
    assert_eq!(refusal(process.change_password(change(&world, &session, &long, true)).await).0, "M_INVALID_PARAM");
    let nobody = ChangePasswordRequest { caller: world.caller("@nobody:example.org"), ..change(&world, &session, "x", true) };
    assert_eq!(refusal(process.change_password(nobody).await).0, "M_NOT_FOUND");
    process.deactivate(&world, ALICE).await;
    assert_eq!(refusal(process.change_password(change(&world, &session, "x", true)).await).0, "M_USER_DEACTIVATED");
}
