//! Mails that prove addresses, and what is done with the proof.

use banyan_client_api::ClientApiConfig;
use banyan_core::ServiceError;
use banyan_proto::users::{ThreepidChanged, ThreepidRow, user_entry::Kind};
use banyan_tenants::config::{EmailConfig, RateLimit, RegistrationEmail, SmtpTls};
use banyan_testkit::smtp::{MailServer, Manner};
use banyan_users::threepid;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    fakes::Call,
    world::{ALICE, GUEST_TOKEN, World, answer, assert_error, open_tenant},
};

const PASSWORD: &str = "/_matrix/client/v3/account/password";
const REGISTER: &str = "/_matrix/client/v3/register";
const THREEPID: &str = "/_matrix/client/v3/account/3pid";
const MAIL: &str = "bob@mail.test";

fn config(server: &MailServer) -> EmailConfig {
    EmailConfig {
        from: "One <no-reply@one.test>".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: Some(server.address().port()),
        tls: SmtpTls::None,
        ca_file: None,
        username: None,
        password_file: None,
        timeout_ms: 5_000,
        link_seconds: 3_600,
        allowed_domains: Vec::new(),
        next_link_hosts: Vec::new(),
        reveal_accounts: false,
    }
}

/// A world whose tenant sends mails, and where they go.
async fn with(change: impl FnOnce(&mut EmailConfig)) -> (World, MailServer) {
    let server = MailServer::start(Manner::Kind, None, false).await.unwrap();
    let mut email = config(&server);
    change(&mut email);
    let mut tenant = open_tenant("one.test");
    tenant.email = Some(email);
    (World::with(vec![tenant, open_tenant("two.test")], ClientApiConfig::default()).await, server)
}

async fn world() -> (World, MailServer) {
    with(|_| {}).await
}

/// Gives an address to a user, as its owner would.
async fn give(world: &World, user_id: &str, address: &str) {
    let row = ThreepidRow { user_id: user_id.to_owned(), validated: 1_000_000, added: 2_000_000, ..ThreepidRow::default() };
    let changed = ThreepidChanged {
        tenant: "one.test".to_owned(),
        medium: threepid::EMAIL.to_owned(),
        address: address.to_owned(),
        row: Some(row),
        lost_by: String::new(),
    };
    world.name_entry(&threepid::owner_name("one.test", threepid::EMAIL, address), Kind::Threepid(changed)).await;
}

fn wish(send_attempt: u64) -> Value {
    json!({"client_secret": "s3cret", "email": MAIL, "send_attempt": send_attempt})
}

/// The paths of the three ways to ask for a mail.
fn ways() -> [String; 3] {
    [REGISTER, THREEPID, PASSWORD].map(|path| format!("{path}/email/requestToken"))
}

async fn ask(world: &World, path: &str, body: Value) -> (StatusCode, Value) {
    world.post_as(None, &format!("{path}/email/requestToken"), body).await
}

/// The path and query of the link in a mail.
fn link(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with("https://one.test/"))?;
    line.strip_prefix("https://one.test").map(str::to_owned)
}

async fn page(request: reqwest::RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["x-frame-options"], "DENY");
    assert!(response.headers()["content-security-policy"].to_str().unwrap().contains("form-action 'self'"));
    (response.status().as_u16(), response.text().await.unwrap())
}

/// Opens the link of the `n`th mail and presses the button; what the page then says.
async fn confirm(world: &World, server: &MailServer, n: usize) -> String {
    let path = link(&server.mail(n).await.parts()[0]).unwrap();
    let (status, html) = page(world.request(Method::GET, &path, None)).await;
    assert_eq!(status, 200);
    assert!(html.contains("<button>"), "{html}");
    press(world, &path, "same-origin").await.1
}

async fn press(world: &World, path: &str, site: &str) -> (u16, String) {
    let (path, query) = path.split_once('?').unwrap();
    let form = world.request(Method::POST, path, None).header("content-type", "application/x-www-form-urlencoded");
    page(form.header("sec-fetch-site", site).body(query.to_owned())).await
}

fn by_mail(sid: &Value, session: Option<&Value>) -> Value {
    let mut auth = json!({"type": "m.login.email.identity", "threepid_creds": {"sid": sid, "client_secret": "s3cret"}});
    if let Some(session) = session {
        auth["session"] = session.clone();
    }
    auth
}

#[tokio::test]
async fn a_forgotten_password_is_set_by_whoever_opens_the_mail() {
    let (world, server) = world().await;
    give(&world, ALICE, MAIL).await;
    let (status, asked) = ask(&world, PASSWORD, wish(1)).await;
    assert_eq!(status, 200, "{asked}");
    let wish = |auth: Value| json!({"new_password": "new", "auth": auth});
    let (status, challenge) = world.post_as(None, PASSWORD, json!({})).await;
    assert_eq!((status.as_u16(), &challenge["flows"]), (401, &json!([{"stages": ["m.login.email.identity"]}])));

    // Clients ask again and again until the link was opened; programs that look at it do not count.
    let path = link(&server.mail(0).await.parts()[0]).unwrap();
    page(world.request(Method::GET, &path, None)).await;
    let (status, body) = world.post_as(None, PASSWORD, wish(by_mail(&asked["sid"], None))).await;
    assert_eq!((status.as_u16(), &body["errcode"]), (401, &json!("M_UNAUTHORIZED")));
    assert_eq!(press(&world, &path, "cross-site").await.0, 400);
    assert!(confirm(&world, &server, 0).await.contains("this is confirmed"));

    let wrong = json!({"type": "m.login.email.identity", "threepid_creds": {"sid": asked["sid"], "client_secret": "guess"}});
    assert_eq!(world.post_as(None, PASSWORD, wish(wrong)).await.0.as_u16(), 401);
    assert!(world.fakes.take().is_empty());
    let (status, body) = world.post_as(None, PASSWORD, wish(by_mail(&asked["sid"], None))).await;
    assert_eq!((status.as_u16(), &body), (200, &json!({})), "{body}");
    let Call::ChangePassword(changed) = world.fakes.only() else { panic!("something else") };
    let caller = changed.caller.unwrap();
    assert_eq!((caller.user_id.as_str(), caller.device_id.as_str()), (ALICE, ""));
    assert_eq!((changed.new_password.as_str(), changed.logout_devices), ("new", true));
    let again = world.post_as(None, PASSWORD, wish(by_mail(&asked["sid"], None))).await;
    assert_eq!(again.0.as_u16(), 401, "a proof is used once");
    assert!(world.fakes.take().is_empty());
}

#[tokio::test]
async fn a_reset_that_failed_can_be_repeated_and_other_proofs_do_not_count() {
    let (world, server) = world().await;
    give(&world, ALICE, MAIL).await;
    let (_, asked) = ask(&world, PASSWORD, wish(1)).await;
    confirm(&world, &server, 0).await;
    let wish = json!({"new_password": "", "auth": by_mail(&asked["sid"], None)});
    world.fakes.fail("ChangePassword", ServiceError::invalid_param("no"));
    for _ in 0..2 {
        assert_error(&world.post_as(None, PASSWORD, wish.clone()).await, 400, "M_INVALID_PARAM");
    }
    assert_error(&world.post_as(None, PASSWORD, json!({"auth": by_mail(&asked["sid"], None)})).await, 400, "M_BAD_JSON");
    assert_error(&world.post_as(Some(GUEST_TOKEN), PASSWORD, wish).await, 403, "M_GUEST_ACCESS_FORBIDDEN");

    // What was confirmed for a registration sets no password, even once the address is somebody's.
    let other = json!({"client_secret": "s3cret", "email": "carol@mail.test", "send_attempt": 1});
    let (_, asked) = ask(&world, REGISTER, other).await;
    confirm(&world, &server, 1).await;
    give(&world, ALICE, "carol@mail.test").await;
    let wish = json!({"new_password": "new", "auth": by_mail(&asked["sid"], None)});
    assert_eq!(world.post_as(None, PASSWORD, wish).await.0.as_u16(), 401);
    // And a tenant without mails has no reset.
    let request = reqwest::Client::new().post(format!("http://{}{PASSWORD}", world.address)).header("host", "two.test").body("{}");
    assert_error(&answer(request).await, 401, "M_MISSING_TOKEN");
}

#[tokio::test]
async fn an_account_is_made_with_an_address() {
    let (world, server) = world().await;
    let wanted = json!({"username": "bob", "password": "p"});
    let (_, challenge) = world.post_as(None, REGISTER, wanted.clone()).await;
    let dummy_or_mail = json!([
        {"stages": ["m.login.registration_token", "m.login.dummy"]},
        {"stages": ["m.login.registration_token", "m.login.email.identity"]},
        {"stages": ["m.login.dummy"]},
        {"stages": ["m.login.email.identity"]},
    ]);
    assert_eq!(challenge["flows"], dummy_or_mail);
    let (status, asked) = ask(&world, REGISTER, wish(1)).await;
    assert_eq!(status, 200, "{asked}");
    let attempt = |auth: Value| {
        let mut body = wanted.clone();
        body["auth"] = auth;
        world.post_as(None, REGISTER, body)
    };
    assert_eq!(attempt(by_mail(&asked["sid"], Some(&challenge["session"]))).await.0.as_u16(), 401);
    confirm(&world, &server, 0).await;
    // Some clients say it twice, under two names.
    let mut auth = by_mail(&asked["sid"], Some(&challenge["session"]));
    auth["threepidCreds"] = auth["threepid_creds"].clone();
    let (status, body) = attempt(auth).await;
    assert_eq!(status.as_u16(), 200, "{body}");
    let calls = world.fakes.take();
    let [Call::ClaimThreepid(held), Call::Register(made), Call::ClaimThreepid(had)] = &calls[..] else { panic!("{calls:?}") };
    let user = |caller: &Option<banyan_proto::userserver::Caller>| caller.as_ref().unwrap().user_id.clone();
    assert_eq!((user(&held.caller).as_str(), held.address.as_str(), held.session.is_empty()), ("", MAIL, false));
    assert_eq!((user(&made.caller).as_str(), user(&had.caller).as_str()), ("@bob:one.test", "@bob:one.test"));
    assert_eq!((&had.session, had.validated == held.validated && had.validated > 0), (&held.session, true));
}

#[tokio::test]
async fn an_address_that_another_registration_holds_passes_no_stage() {
    let (world, server) = world().await;
    let (_, asked) = ask(&world, REGISTER, wish(1)).await;
    confirm(&world, &server, 0).await;
    world.fakes.fail("ClaimThreepid", threepid::in_use());
    let body = json!({"username": "bob", "password": "p", "auth": by_mail(&asked["sid"], None)});
    let (status, body) = world.post_as(None, REGISTER, body).await;
    assert_eq!((status.as_u16(), &body["errcode"]), (401, &json!("M_THREEPID_IN_USE")));
}

#[tokio::test]
async fn registration_can_require_an_address_or_have_none() {
    let server = MailServer::start(Manner::Kind, None, false).await.unwrap();
    let mut required = open_tenant("one.test");
    (required.email, required.registration.email) = (Some(config(&server)), RegistrationEmail::Required);
    required.registration.tokens.clear();
    let world = World::with(vec![required.clone()], ClientApiConfig::default()).await;
    let (_, challenge) = world.post_as(None, REGISTER, json!({})).await;
    assert_eq!(challenge["flows"], json!([{"stages": ["m.login.email.identity"]}]));

    required.registration.email = RegistrationEmail::Off;
    let world = World::with(vec![required], ClientApiConfig::default()).await;
    let (_, challenge) = world.post_as(None, REGISTER, json!({})).await;
    assert_eq!(challenge["flows"], json!([{"stages": ["m.login.dummy"]}]));
    assert_error(&ask(&world, REGISTER, wish(1)).await, 403, "M_THREEPID_DENIED");
}

#[tokio::test]
async fn an_address_is_added_listed_and_deleted() {
    let (world, server) = world().await;
    let (status, body) = world.get(THREEPID).await;
    assert_eq!((status.as_u16(), body), (200, json!({"threepids": []})));
    let (_, asked) = ask(&world, THREEPID, json!({"client_secret": "s3cret", "email": "Bob@Mail.test", "send_attempt": 1})).await;
    assert_eq!(server.mail(0).await.to, ["Bob@Mail.test"], "the mail goes where it was asked for");
    let add = format!("{THREEPID}/add");
    let wanted = json!({"sid": asked["sid"], "client_secret": "s3cret"});
    let (status, challenge) = world.post(&add, wanted.clone()).await;
    assert_eq!((status.as_u16(), &challenge["flows"]), (401, &json!([{"stages": ["m.login.password"]}])));
    let confirmed = |session: &Value| {
        let mut body = wanted.clone();
        body["auth"] = json!({"type": "m.login.password", "user": "alice", "password": "p", "session": session});
        body
    };
    assert_error(&world.post(&add, confirmed(&challenge["session"])).await, 400, "M_THREEPID_AUTH_FAILED");
    confirm(&world, &server, 0).await;
    world.fakes.take();
    let (status, body) = world.post(&add, confirmed(&challenge["session"])).await;
    assert_eq!((status.as_u16(), &body), (200, &json!({})), "{body}");
    let calls = world.fakes.take();
    let Some(Call::ClaimThreepid(claimed)) = calls.last() else { panic!("{calls:?}") };
    assert_eq!((claimed.caller.as_ref().unwrap().user_id.as_str(), claimed.address.as_str()), (ALICE, MAIL));
    let (_, challenge) = world.post(&add, wanted.clone()).await;
    assert_error(&world.post(&add, confirmed(&challenge["session"])).await, 400, "M_THREEPID_AUTH_FAILED");
    assert_error(&world.post(&add, json!({"auth": {}})).await, 400, "M_BAD_JSON");

    give(&world, ALICE, MAIL).await;
    let listed = json!([{"medium": "email", "address": MAIL, "validated_at": 1_000, "added_at": 2_000}]);
    assert_eq!(world.get(THREEPID).await.1["threepids"], listed);
    world.fakes.take();
    let one = json!({"medium": "email", "address": "BOB@mail.test"});
    let no_support = json!({"id_server_unbind_result": "no-support"});
    let (status, body) = world.post(&format!("{THREEPID}/delete"), one.clone()).await;
    assert_eq!((status.as_u16(), &body), (200, &no_support));
    let Call::ReleaseThreepid(released) = world.fakes.only() else { panic!("something else") };
    assert_eq!((released.caller.unwrap().user_id.as_str(), released.address.as_str()), (ALICE, MAIL));
    let number = json!({"medium": "msisdn", "address": "123"});
    assert_eq!(world.post(&format!("{THREEPID}/delete"), number.clone()).await.1, no_support);
    assert_eq!(world.post(&format!("{THREEPID}/unbind"), one).await.1, no_support);
    assert!(world.fakes.take().is_empty());
    for path in ["delete", "unbind"] {
        assert_error(&world.post(&format!("{THREEPID}/{path}"), json!({"medium": "email"})).await, 400, "M_BAD_JSON");
    }
    for path in ["", "/add", "/delete", "/unbind", "/bind"] {
        let answer = world.post_as(Some(GUEST_TOKEN), &format!("{THREEPID}{path}"), json!({})).await;
        assert_error(&answer, 403, "M_GUEST_ACCESS_FORBIDDEN");
    }
}

#[tokio::test]
async fn identity_servers_are_trusted_with_nothing() {
    let world = World::new().await;
    let binding = json!({"sid": "1", "client_secret": "s", "id_server": "id.test", "id_access_token": "t"});
    assert_error(&world.post(&format!("{THREEPID}/bind"), binding.clone()).await, 400, "M_SERVER_NOT_TRUSTED");
    assert_error(&world.post(&format!("{THREEPID}/bind"), json!({"sid": "1"})).await, 400, "M_BAD_JSON");
    assert_error(&world.post(THREEPID, json!({"three_pid_creds": binding})).await, 403, "M_THREEPID_AUTH_FAILED");
    assert_error(&world.post(THREEPID, json!({})).await, 400, "M_BAD_JSON");
    assert!(world.fakes.take().is_empty());
}

#[tokio::test]
async fn people_log_in_and_confirm_by_their_address() {
    let (world, _server) = world().await;
    give(&world, ALICE, MAIL).await;
    let login = "/_matrix/client/v3/login";
    let identifier = |address: &str| json!({"type": "m.id.thirdparty", "medium": "email", "address": address});
    for body in [
        json!({"type": "m.login.password", "identifier": identifier("BOB@mail.test"), "password": "p"}),
        json!({"type": "m.login.password", "medium": "email", "address": MAIL, "password": "p"}),
    ] {
        let (status, answer) = world.post_as(None, login, body).await;
        assert_eq!((status.as_u16(), &answer["user_id"]), (200, &json!(ALICE)));
        let Call::Login(request) = world.fakes.only() else { panic!("something else") };
        assert_eq!(request.caller.unwrap().user_id, ALICE);
    }
    // Who has no account is asked for like anybody else, so that it takes as long.
    let body = json!({"type": "m.login.password", "identifier": identifier("nobody@mail.test"), "password": "p"});
    world.fakes.fail("Login", ServiceError::forbidden("Invalid username or password"));
    assert_error(&world.post_as(None, login, body).await, 403, "M_FORBIDDEN");
    let Call::Login(request) = world.fakes.only() else { panic!("something else") };
    assert_ne!(request.caller.unwrap().user_id, ALICE);

    let wish = json!({"new_password": "new"});
    let confirmed = |address: &str| {
        let mut body = wish.clone();
        body["auth"] = json!({"type": "m.login.password", "identifier": identifier(address), "password": "old"});
        body
    };
    assert_error(&world.post(PASSWORD, confirmed("nobody@mail.test")).await, 403, "M_FORBIDDEN");
    assert_eq!(world.post(PASSWORD, confirmed(MAIL)).await.0.as_u16(), 200);
}

#[tokio::test]
async fn what_cannot_be_mailed_is_refused() {
    let (world, server) = with(|email| {
        email.allowed_domains = vec!["mail.test".to_owned()];
        email.next_link_hosts = vec!["app.test".to_owned()];
    })
    .await;
    for path in ways() {
        let refused = |member: &str, value: Value| {
            let mut body = wish(1);
            body[member] = value;
            world.post_as(None, &path, body)
        };
        for address in ["bob", "bob@", "a@b@mail.test", "Bob <bob@mail.test>", "bob@mail.test\nBcc: all@mail.test", ""] {
            assert_error(&refused("email", json!(address)).await, 400, "M_INVALID_PARAM");
        }
        assert_error(&refused("email", json!("bob@elsewhere.test")).await, 403, "M_THREEPID_DENIED");
        for secret in ["", "a b", "ü"] {
            assert_error(&refused("client_secret", json!(secret)).await, 400, "M_INVALID_PARAM");
        }
        for link in ["https://evil.test/", "javascript:alert(1)", "file:///etc/passwd", "https://app.test@evil.test/", "/here"] {
            assert_error(&refused("next_link", json!(link)).await, 400, "M_INVALID_PARAM");
        }
        assert_error(&world.post_as(None, &path, json!({"email": MAIL})).await, 400, "M_BAD_JSON");
        let elsewhere = reqwest::Client::new().post(format!("http://{}{path}", world.address)).header("host", "two.test");
        assert_error(&answer(elsewhere.body(wish(1).to_string())).await, 400, "M_THREEPID_MEDIUM_NOT_SUPPORTED");
    }
    assert!(server.mails().is_empty());
    let mut body = wish(1);
    body["next_link"] = json!("https://app.test/done?<b>");
    assert_eq!(ask(&world, REGISTER, body).await.0.as_u16(), 400, "no address of a page");
    let mut body = wish(1);
    body["next_link"] = json!("https://app.test/done?a&b");
    assert_eq!(ask(&world, REGISTER, body).await.0.as_u16(), 200);
    let html = confirm(&world, &server, 0).await;
    assert!(html.contains("<a href=\"https://app.test/done?a&amp;b\" rel=\"noreferrer\">Go on to app.test</a>"), "{html}");
}

#[tokio::test]
async fn nobody_learns_who_has_an_account_unless_the_tenant_tells() {
    let (world, server) = world().await;
    give(&world, ALICE, MAIL).await;
    let other = json!({"client_secret": "s3cret", "email": "carol@mail.test", "send_attempt": 1});
    for (n, (path, body, says)) in [
        (REGISTER, wish(1), "You have an account on one.test"),
        (THREEPID, wish(1), "You have an account on one.test"),
        (PASSWORD, other.clone(), "You have no account on one.test"),
    ]
    .into_iter()
    .enumerate()
    {
        let (status, answer) = ask(&world, path, body).await;
        assert_eq!((status.as_u16(), answer["sid"].is_string()), (200, true), "{answer}");
        let mail = server.mail(n).await;
        assert!(mail.data.contains(&format!("Subject: {says}\n")), "{}", mail.data);
        assert_eq!(link(&mail.parts()[0]), None);
    }

    let (world, server) = with(|email| email.reveal_accounts = true).await;
    give(&world, ALICE, MAIL).await;
    for path in [REGISTER, THREEPID] {
        assert_error(&ask(&world, path, wish(1)).await, 400, "M_THREEPID_IN_USE");
    }
    assert_error(&ask(&world, PASSWORD, other).await, 400, "M_THREEPID_NOT_FOUND");
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn an_attempt_sends_one_mail_and_a_mail_server_that_is_away_is_told() {
    let (world, server) = world().await;
    let (_, first) = ask(&world, REGISTER, wish(1)).await;
    assert_eq!(ask(&world, REGISTER, wish(1)).await.1, first);
    assert_eq!(server.mails().len(), 1);
    assert_eq!(ask(&world, REGISTER, wish(2)).await.1, first, "the same session");
    assert_eq!(server.mails().len(), 2);

    let refusing = MailServer::start(Manner::Refusing, None, false).await.unwrap();
    let silent = MailServer::start(Manner::Silent, None, false).await.unwrap();
    for away in [refusing, silent] {
        let (world, _) = with(|email| (email.port, email.timeout_ms) = (Some(away.address().port()), 200)).await;
        for _ in 0..2 {
            assert_error(&ask(&world, REGISTER, wish(1)).await, 503, "M_UNKNOWN");
        }
    }
}

#[tokio::test]
async fn an_address_is_not_buried_in_mails() {
    let server = MailServer::start(Manner::Kind, None, false).await.unwrap();
    let mut tenant = open_tenant("one.test");
    tenant.email = Some(config(&server));
    tenant.rate_limits.enabled = true;
    tenant.rate_limits.registration = RateLimit { per_second: 1000.0, burst: 1000 };
    tenant.rate_limits.mail = RateLimit { per_second: 0.001, burst: 2 };
    let world = World::with(vec![tenant], ClientApiConfig::default()).await;
    for (n, path) in [REGISTER, THREEPID].into_iter().enumerate() {
        assert_eq!(ask(&world, path, wish(1)).await.0.as_u16(), 200);
        server.mail(n).await;
    }
    let refused = ask(&world, PASSWORD, wish(1)).await;
    assert_error(&refused, 429, "M_LIMIT_EXCEEDED");
    assert!(refused.1["retry_after_ms"].as_u64().unwrap() > 100_000);
    let other = json!({"client_secret": "s3cret", "email": "carol@mail.test", "send_attempt": 1});
    assert_eq!(ask(&world, REGISTER, other).await.0.as_u16(), 200);
    assert_eq!(server.mails().len(), 3);
}

#[tokio::test]
async fn links_that_are_over_or_made_up_say_so() {
    let (world, _server) = world().await;
    let path = "/_banyan/client/v1/email/confirm";
    let (status, html) = page(world.request(Method::GET, &format!("{path}?sid=%3Cb%3E&token=x"), None)).await;
    assert!(status == 404 && html.contains("This link is over") && !html.contains("<b>"), "{html}");
    assert_eq!(press(&world, &format!("{path}?sid=a&token=b"), "same-origin").await.0, 404);
    assert_eq!(press(&world, &format!("{path}?sid=a"), "same-origin").await.0, 400);
    assert_error(&answer(world.request(Method::GET, path, None)).await, 400, "M_MISSING_PARAM");
}

#[tokio::test]
async fn an_address_can_be_proved_in_a_browser() {
    let (world, server) = world().await;
    let wish = json!({"username": "bob", "password": "p"});
    let (_, challenge) = world.post_as(None, REGISTER, wish.clone()).await;
    let session = challenge["session"].as_str().unwrap();
    let path = "/_matrix/client/v3/auth/m.login.email.identity/fallback/web";
    let (status, html) = page(world.request(Method::GET, &format!("{path}?session={session}"), None)).await;
    assert!(status == 200 && html.contains("name=\"email\"") && !html.contains("<script"), "{html}");
    let form = |fields: &str| format!("{path}?session={session}&{fields}");
    let (status, html) = press(&world, &form("email=nobody"), "same-origin").await;
    assert!(status == 401 && html.contains("This is no e-mail address"), "{html}");
    let (status, html) = press(&world, &form("email=bob%40mail.test"), "same-origin").await;
    assert_eq!(status, 200);
    let hidden = |name: &str| {
        let rest = html.split_once(&format!("name=\"{name}\" value=\"")).unwrap().1;
        rest.split('"').next().unwrap().to_owned()
    };
    let sent = format!("sid={}&client_secret={}", hidden("sid"), hidden("client_secret"));
    let (status, html) = press(&world, &form(&sent), "same-origin").await;
    assert!(status == 401 && html.contains("was not confirmed yet") && html.contains("client_secret"), "{html}");
    confirm(&world, &server, 0).await;
    let (status, html) = press(&world, &form(&sent), "same-origin").await;
    assert!(status == 200 && html.contains("authDone"), "{html}");
    world.fakes.take();
    let mut body = wish;
    body["auth"] = json!({ "session": session });
    assert_eq!(world.post_as(None, REGISTER, body).await.0.as_u16(), 200);
    let calls = world.fakes.take();
    assert!(matches!(&calls[..], [Call::Register(_), Call::ClaimThreepid(_)]), "{calls:?}");
}

#[tokio::test]
async fn the_page_says_that_mails_cannot_be_sent() {
    let refusing = MailServer::start(Manner::Refusing, None, false).await.unwrap();
    let (world, _) = with(|email| email.port = Some(refusing.address().port())).await;
    let (_, challenge) = world.post_as(None, REGISTER, json!({"username": "bob", "password": "p"})).await;
    let session = challenge["session"].as_str().unwrap();
    let path = "/_matrix/client/v3/auth/m.login.email.identity/fallback/web";
    assert_eq!(press(&world, &format!("{path}?session={session}&email=bob%40mail.test"), "same-origin").await.0, 503);
}
