//! Logging in.

use banyan_core::ErrorCode;
use banyan_proto::userserver::{LoginRequest, RegisterRequest};

use crate::world::{QUIET, World, refusal};

const ALICE: &str = "@alice:example.org";

#[tokio::test]
async fn the_right_password_gives_a_token_on_a_device_of_its_own() {
    let world = World::new();
    let process = world.owner("a").await;
    let first = process.register(world.registration(ALICE)).await.expect("registered");
    let second = process.login(world.login(ALICE)).await.expect("logged in");
    assert_ne!(first.device_id, second.device_id);
    assert!(process.works(&first.access_token).await && process.works(&second.access_token).await);
}

#[tokio::test]
async fn a_known_device_keeps_its_name_and_loses_its_old_token() {
    let world = World::new();
    let process = world.owner("a").await;
    let named = |name: &str| LoginRequest {
        device_id: "PHONE".to_owned(),
        initial_device_display_name: name.to_owned(),
        ..world.login(ALICE)
    };
    process.register(RegisterRequest { inhibit_login: true, ..world.registration(ALICE) }).await.expect("registered");
    let first = process.login(named("First")).await.expect("logged in");
    let second = process.login(named("Second")).await.expect("logged in");
    assert_eq!(second.device_id, "PHONE");
    assert!(!process.works(&first.access_token).await && process.works(&second.access_token).await);
    let device = process.reader().device(ALICE, "PHONE").await.expect("read").expect("the device");
    assert_eq!((device.display_name.as_str(), device.token_hashes.len()), ("First", 1));
}

#[tokio::test]
async fn nobody_learns_which_accounts_exist() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    let wrong = LoginRequest { password: "wrong".to_owned(), ..world.login(ALICE) };
    let wrong = process.login(wrong).await.expect_err("a wrong password");
    let unknown = process.login(world.login("@nobody:example.org")).await.expect_err("an unknown user");
    assert_eq!((wrong.errcode.as_deref(), wrong.code), (Some("M_FORBIDDEN"), ErrorCode::Forbidden));
    assert_eq!(wrong, unknown);
    let empty = LoginRequest { password: String::new(), ..world.login(ALICE) };
    assert_eq!(process.login(empty).await.expect_err("no password"), unknown);

    let bob = "@bob:example.org";
    process.register(RegisterRequest { password: String::new(), ..world.registration(bob) }).await.expect("registered");
    let empty = LoginRequest { password: String::new(), ..world.login(bob) };
    assert_eq!(process.login(empty).await.expect_err("an account without a password"), unknown);
}

#[tokio::test]
async fn a_retry_stays_on_the_device_of_the_first_try() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(RegisterRequest { inhibit_login: true, ..world.registration(ALICE) }).await.expect("registered");
    let request = world.login(ALICE);
    let first = process.login(request.clone()).await.expect("logged in");
    let second = process.login(request).await.expect("logged in");
    assert_eq!(first.device_id, second.device_id);
    assert!(process.works(&second.access_token).await && !process.works(&first.access_token).await);
    assert_eq!(process.reader().devices(ALICE).await.expect("read").len(), 1);
}

#[tokio::test]
async fn a_deactivated_user_is_told_so_only_with_the_right_password() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    process.deactivate(&world, ALICE).await;
    assert_eq!(refusal(process.login(world.login(ALICE)).await), ("M_USER_DEACTIVATED".to_owned(), ErrorCode::Forbidden));
    let wrong = LoginRequest { password: "wrong".to_owned(), ..world.login(ALICE) };
    assert_eq!(refusal(process.login(wrong).await).0, "M_FORBIDDEN");
    assert_eq!(refusal(process.register(world.registration(ALICE)).await).0, "M_USER_IN_USE");
}

#[tokio::test]
async fn a_tenant_may_have_no_login_by_password() {
    let world = World::new();
    let process = world.owner("a").await;
    let of_quiet = |mut caller: banyan_proto::userserver::Caller| {
        caller.tenant = QUIET.to_owned();
        Some(caller)
    };
    let bob = "@bob:quiet.org";
    let caller = world.caller(bob).and_then(of_quiet);
    process.register(RegisterRequest { caller, ..world.registration(bob) }).await.expect("registered");
    let caller = world.caller(bob).and_then(of_quiet);
    assert_eq!(refusal(process.login(LoginRequest { caller, ..world.login(bob) }).await).0, "M_FORBIDDEN");
    // Nor does one tenant answer for another's users.
    assert_eq!(refusal(process.login(world.login(bob)).await).0, "M_INVALID_PARAM");
}

#[tokio::test]
async fn device_ids_and_names_have_limits() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    for request in [
        LoginRequest { device_id: "x".repeat(256), ..world.login(ALICE) },
        LoginRequest { initial_device_display_name: "x".repeat(1025), ..world.login(ALICE) },
    ] {
        assert_eq!(refusal(process.login(request).await).0, "M_INVALID_PARAM");
    }
}
