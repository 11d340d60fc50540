//! Sessions of apps that were let in by an OAuth 2.0 grant.

use banyan_proto::userserver::{LoginRequest, LoginResponse, LogoutRequest, RefreshRequest};
use prost::bytes::Bytes;

use crate::world::{Process, World, hash};

const ALICE: &str = "@alice:example.org";
const APP: &str = "an-app";

fn let_in(world: &World, device_id: &str) -> LoginRequest {
    LoginRequest {
        caller: world.caller(ALICE),
        device_id: device_id.to_owned(),
        proved: true,
        refreshable: true,
        oauth_client: APP.to_owned(),
        ..LoginRequest::default()
    }
}

fn hash_of(token: &str) -> Bytes {
    hash(token).as_bytes().to_vec().into()
}

/// The app that a session's tokens and device are noted with.
async fn apps(process: &Process, session: &LoginResponse) -> [String; 3] {
    let reader = process.reader();
    let access = reader.access_token(&hash(&session.access_token)).await.expect("read").expect("the token");
    let refresh = reader.refresh_token(&hash(&session.refresh_token)).await.expect("read").expect("the token");
    let device = reader.device(ALICE, &session.device_id).await.expect("read").expect("the device");
    [access.oauth_client, refresh.oauth_client, device.oauth_client]
}

#[tokio::test]
async fn tokens_say_which_app_has_them_also_after_a_refresh() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    let first = process.login(let_in(&world, "PHONE")).await.expect("let in");
    assert_eq!(apps(&process, &first).await, [APP, APP, APP]);
    let request = RefreshRequest { caller: world.caller(ALICE), token_hash: hash_of(&first.refresh_token) };
    let second = process.refresh(request).await.expect("refreshed");
    assert_eq!(apps(&process, &second).await, [APP, APP, APP]);
    // The same device logs in by the legacy API.
    let legacy = LoginRequest { device_id: "PHONE".to_owned(), refreshable: true, ..world.login(ALICE) };
    let third = process.login(legacy).await.expect("logged in");
    assert_eq!(apps(&process, &third).await, ["", "", ""]);
}

#[tokio::test]
async fn a_session_ends_by_its_refresh_token() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    let first = process.login(let_in(&world, "PHONE")).await.expect("let in");
    let other = process.login(let_in(&world, "TABLET")).await.expect("let in");
    let by = |token: &str| LogoutRequest { caller: world.caller(ALICE), refresh_hash: hash_of(token), ..LogoutRequest::default() };
    process.logout(by(&first.refresh_token)).await.expect("ended");
    let reader = process.reader();
    assert!(reader.device(ALICE, "PHONE").await.expect("read").is_none());
    assert!(reader.access_token(&hash(&first.access_token)).await.expect("read").is_none());
    assert!(reader.refresh_token(&hash(&first.refresh_token)).await.expect("read").is_none());
    process.logout(by(&first.refresh_token)).await.expect("no error");
    process.logout(by("made-up")).await.expect("no error");
    assert_eq!(apps(&process, &other).await, [APP, APP, APP], "other devices stay");
}
