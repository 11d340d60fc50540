//! What the OAuth 2.0 API keeps: used once, whatever replica is asked, and over in time.

use std::{sync::Arc, time::Duration};

use banyan_proto::users::{Account, OauthClientRow, OauthGrant};
use banyan_store::memory::{Target, WriteFault};
use banyan_users::{
    BrowserSessions, OauthApprovals, OauthClients, OauthCodes, OauthDevices, TokenHash,
    browser::{form_token, form_token_fits},
    oauth::{NewCode, Polled},
};
use futures::future::join_all;

use crate::World;

const TENANT: &str = "example.org";
const ALICE: &str = "@alice:example.org";

fn codes(world: &World) -> OauthCodes {
    OauthCodes::new(Arc::new(world.store.clone()), Arc::new(world.clock.clone()), world.entropy.clone())
}

fn devices(world: &World) -> OauthDevices {
    OauthDevices::new(Arc::new(world.store.clone()), Arc::new(world.clock.clone()), world.entropy.clone())
}

fn clients(world: &World) -> OauthClients {
    OauthClients::new(Arc::new(world.store.clone()), Arc::new(world.clock.clone()))
}

fn browsers(world: &World) -> BrowserSessions {
    BrowserSessions::new(Arc::new(world.store.clone()), Arc::new(world.clock.clone()), world.entropy.clone())
}

fn grant(user_id: &str) -> OauthGrant {
    let text = |text: &str| text.to_owned();
    OauthGrant { tenant: text(TENANT), client_id: text("app"), user_id: text(user_id), device_id: text("PHONE"), scope: text("s") }
}

fn new_code() -> NewCode {
    NewCode { grant: grant(ALICE), redirect_uri: "https://a/".to_owned(), code_challenge: "c".to_owned() }
}

#[tokio::test(start_paused = true)]
async fn a_code_is_used_once_whatever_replica_is_asked() {
    let world = World::new();
    world.slow_store();
    let code = codes(&world).issue(new_code()).await.expect("a code");
    assert!(codes(&world).find("example.com", &code).await.expect("read").is_none(), "it belongs to its tenant");
    let replicas: Vec<_> = (0..8).map(|_| codes(&world)).collect();
    let used = join_all(replicas.iter().map(|replica| async {
        let mut shown = replica.find(TENANT, &code).await.expect("read").expect("the code");
        replica.use_up(&mut shown).await.expect("written")
    }));
    assert_eq!(used.await.iter().flatten().count(), 1);
    let mut shown = codes(&world).find(TENANT, &code).await.expect("read").expect("the code");
    assert!(shown.is_used());
    codes(&world).exchanged(&mut shown, &TokenHash::of("t")).await.expect("noted");
    let again = codes(&world).find(TENANT, &code).await.expect("read").expect("the code");
    assert_eq!(again.token_hash[..], TokenHash::of("t").as_bytes()[..]);
}

#[tokio::test]
async fn a_code_that_is_restored_keeps_its_command() {
    let world = World::new();
    let (codes, mut ids) = (codes(&world), Vec::new());
    let code = codes.issue(new_code()).await.expect("a code");
    for _ in 0..2 {
        let mut shown = codes.find(TENANT, &code).await.expect("read").expect("the code");
        ids.push(codes.use_up(&mut shown).await.expect("written").expect("the only one"));
        codes.restore(&mut shown).await.expect("restored");
    }
    assert_eq!(ids[0], ids[1]);
    world.clock.advance(OauthCodes::LIFETIME + Duration::from_secs(1));
    assert!(codes.find(TENANT, &code).await.expect("read").is_none(), "it is over");
}

#[tokio::test]
async fn a_lost_answer_of_the_store_loses_no_code() {
    for fault in [WriteFault::UnknownApplied, WriteFault::UnknownLost] {
        let world = World::new();
        world.store.control().inject(Target::Table("oauth_code"), fault);
        let code = codes(&world).issue(new_code()).await.expect("a code");
        let mut shown = codes(&world).find(TENANT, &code).await.expect("read").expect("the code");
        world.store.control().inject(Target::Table("oauth_code"), fault);
        assert!(codes(&world).use_up(&mut shown).await.expect("written").is_some());
    }
}

fn app(name: &str) -> OauthClientRow {
    OauthClientRow { tenant: TENANT.to_owned(), client_name: name.to_owned(), ..OauthClientRow::default() }
}

#[tokio::test]
async fn an_app_that_nobody_lets_in_goes_and_others_stay() {
    let world = World::new();
    let clients = clients(&world);
    let (used, unused) =
        (clients.register(app("used")).await.expect("an id"), clients.register(app("unused")).await.expect("an id"));
    assert_ne!(used, unused);
    clients.keep(&used).await.expect("kept");
    assert_eq!(clients.register(app("used")).await.expect("an id"), used);
    assert!(clients.find("example.com", &used).await.expect("read").is_none());
    world.clock.advance(OauthClients::UNUSED * 3 / 4);
    assert_eq!(clients.register(app("unused")).await.expect("an id"), unused, "registered again: it begins anew");
    world.clock.advance(OauthClients::UNUSED * 3 / 4);
    assert!(clients.find(TENANT, &unused).await.expect("read").is_some());
    world.clock.advance(OauthClients::UNUSED);
    assert!(clients.find(TENANT, &unused).await.expect("read").is_none());
    assert_eq!(clients.find(TENANT, &used).await.expect("read").expect("the app").client_name, "used");
    assert!(clients.find(TENANT, "").await.expect("read").is_none());
}

#[tokio::test]
async fn a_device_is_told_what_somebody_decides() {
    let world = World::new();
    let devices = devices(&world);
    let begin = || devices.begin(grant(""));
    let codes = begin().await.expect("codes");
    let poll = |code: &str| {
        let code = code.to_owned();
        let devices = devices.clone();
        async move { devices.poll(TENANT, "app", &code).await.expect("polled") }
    };
    assert!(matches!(poll(&codes.device_code).await, Polled::Pending));
    assert!(matches!(poll(&codes.device_code).await, Polled::SlowDown));
    world.clock.advance(Duration::from_secs(6));
    assert!(matches!(poll(&codes.device_code).await, Polled::SlowDown), "it waits longer now");
    world.clock.advance(Duration::from_secs(16));
    assert!(matches!(poll(&codes.device_code).await, Polled::Pending));
    assert_eq!(devices.find(TENANT, &codes.user_code.to_lowercase()).await.expect("read"), Some(grant("")));
    assert_eq!(devices.find("example.com", &codes.user_code).await.expect("read"), None);
    assert!(devices.decide(TENANT, &codes.user_code, Some(ALICE)).await.expect("decided"));
    assert!(!devices.decide(TENANT, &codes.user_code, None).await.expect("decided"), "what is decided is decided");
    let Polled::Allowed { grant: allowed, request_id } = poll(&codes.device_code).await else { panic!("not let in") };
    assert_eq!(allowed, grant(ALICE));
    assert!(matches!(poll(&codes.device_code).await, Polled::Unknown), "once");
    devices.restore(&codes.device_code).await.expect("restored");
    assert!(matches!(poll(&codes.device_code).await, Polled::Allowed { request_id: again, .. } if again == request_id));

    let denied = begin().await.expect("codes");
    assert!(devices.decide(TENANT, &denied.user_code, None).await.expect("decided"));
    assert!(matches!(poll(&denied.device_code).await, Polled::Denied));
    let late = begin().await.expect("codes");
    world.clock.advance(OauthDevices::LIFETIME + Duration::from_secs(1));
    assert!(matches!(poll(&late.device_code).await, Polled::Expired));
    assert!(!devices.decide(TENANT, &late.user_code, Some(ALICE)).await.expect("decided"));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_let_in_gets_one_session() {
    let world = World::new();
    world.slow_store();
    let codes = devices(&world).begin(grant("")).await.expect("codes");
    devices(&world).decide(TENANT, &codes.user_code, Some(ALICE)).await.expect("decided");
    let replicas: Vec<_> = (0..8).map(|_| devices(&world)).collect();
    let polled = join_all(replicas.iter().map(|replica| replica.poll(TENANT, "app", &codes.device_code))).await;
    let allowed = polled.iter().filter(|polled| matches!(polled, Ok(Polled::Allowed { .. }))).count();
    assert_eq!(allowed, 1, "{polled:?}");
}

#[tokio::test]
async fn an_approval_is_for_one_request_and_a_while() {
    let world = World::new();
    let approvals = OauthApprovals::new(Arc::new(world.store.clone()), Arc::new(world.clock.clone()));
    assert_eq!(approvals.take(ALICE, "one").await, Ok(false));
    approvals.approve(ALICE, Some("one")).await.expect("approved");
    assert_eq!(approvals.take(ALICE, "two").await, Ok(false));
    assert_eq!(approvals.take(ALICE, "one").await, Ok(true));
    assert_eq!(approvals.take(ALICE, "one").await, Ok(false));
    approvals.approve(ALICE, Some("one")).await.expect("approved");
    approvals.approve(ALICE, None).await.expect("approved");
    assert_eq!(approvals.take("@bob:example.org", "one").await, Ok(false));
    assert_eq!(approvals.take(ALICE, "any").await, Ok(true));
    approvals.approve(ALICE, None).await.expect("approved");
    world.clock.advance(OauthApprovals::LIFETIME + Duration::from_secs(1));
    assert_eq!(approvals.take(ALICE, "any").await, Ok(false));
}

#[tokio::test]
async fn a_browser_session_lasts_as_long_as_the_password() {
    let world = World::new();
    let (browsers, account) = (browsers(&world), Account { password_hash: "x".to_owned(), ..Account::default() });
    let cookie = browsers.begin(TENANT, ALICE, &account).await.expect("a cookie");
    assert!(browsers.find("example.com", &cookie).await.expect("read").is_none());
    let session = browsers.find(TENANT, &cookie).await.expect("read").expect("the session");
    assert_eq!(session.user_id, ALICE);
    assert!(session.fits(&account));
    for other in [
        Account { password_hash: "y".to_owned(), ..account.clone() },
        Account { locked: true, ..account.clone() },
        Account { deactivated: true, ..account.clone() },
    ] {
        assert!(!session.fits(&other));
    }
    assert!(session.fits(&Account { suspended: true, ..account.clone() }));
    browsers.end(&cookie).await.expect("ended");
    assert!(browsers.find(TENANT, &cookie).await.expect("read").is_none());
    let cookie = browsers.begin(TENANT, ALICE, &account).await.expect("a cookie");
    world.clock.advance(BrowserSessions::LIFETIME + Duration::from_secs(1));
    assert!(browsers.find(TENANT, &cookie).await.expect("read").is_none());
}

#[test]
fn a_form_belongs_to_a_cookie() {
    let token = form_token("one");
    assert!(form_token_fits("one", &token) && !form_token_fits("two", &token) && !form_token_fits("one", ""));
    assert!(!token.contains("one"));
}
