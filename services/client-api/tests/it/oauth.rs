//! The OAuth 2.0 API: registration, the code flow over the forms of its pages, tokens, revocation.

use banyan_client_api::ClientApiConfig;
use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::users::{AccessTokenIssued, Account, RefreshToken, RefreshTokenIssued, user_entry::Kind};
use banyan_tenants::config::{LoginConfig, OauthConfig};
use banyan_users::TokenHash;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::{Url, form_urlencoded};

use crate::{
    fakes::Call,
    person::{Person, Shown},
    world::{ALICE, World, answer, assert_error, open_tenant},
};

const METADATA: &str = "/_matrix/client/v1/auth_metadata";
const CALLBACK: &str = "https://app.example.com/callback";
const SCOPE: &str = "urn:matrix:client:api:* urn:matrix:client:device:TABLET";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

pub(crate) fn metadata() -> Value {
    json!({
        "client_name": "My <App>",
        "client_uri": "https://example.com/",
        "tos_uri": "https://example.com/tos",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code", "implicit"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "web",
    })
}

pub(crate) async fn register(world: &World) -> String {
    let (status, body) = world.post_as(None, "/oauth2/clients", metadata()).await;
    assert_eq!(status.as_u16(), 201, "{body}");
    body["client_id"].as_str().unwrap().to_owned()
}

/// The address that the app opens, with some parameters changed or, where empty, left out.
fn authorize(client_id: &str, changes: &[(&str, &str)]) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let mut parameters = vec![
        ("client_id", client_id),
        ("response_type", "code"),
        ("response_mode", "fragment"),
        ("redirect_uri", CALLBACK),
        ("scope", SCOPE),
        ("state", "st&te"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ];
    parameters.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    parameters.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    format!("/oauth2/authorize?{}", form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish())
}

/// Signs Alice in on the page that `shown` sends to, and answers where she goes on.
pub(crate) async fn sign_in(person: &mut Person<'_>, shown: &Shown) -> String {
    let page = person.open(shown.sent_to()).await;
    assert_eq!(page.status, 200);
    assert!(page.is_labelled(), "{}", page.html);
    let answer = person.submit(&page.form("sign-in-form"), &[("user", "alice"), ("password", "right")]).await;
    answer.sent_to().to_owned()
}

/// A parameter of the answer to the app.
fn told(location: &str, name: &str) -> Option<String> {
    let url = Url::parse(location).unwrap();
    let text = url.fragment().or(url.query()).unwrap_or_default().to_owned();
    form_urlencoded::parse(text.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Alice lets the app in: the code.
async fn code(world: &World, client_id: &str) -> String {
    let mut person = Person::new(world);
    let shown = person.open(&authorize(client_id, &[])).await;
    let next = sign_in(&mut person, &shown).await;
    let consent = person.open(&next).await;
    let answer = person.submit(&consent.form("consent-form"), &[("decision", "allow")]).await;
    world.fakes.take();
    told(answer.sent_to(), "code").unwrap()
}

pub(crate) async fn token(world: &World, fields: &[(&str, &str)]) -> (StatusCode, Value) {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = world.request(Method::POST, "/oauth2/token", None).header("content-type", "application/x-www-form-urlencoded");
    answer(request.body(body)).await
}

fn exchange<'a>(client_id: &'a str, code: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("client_id", client_id),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]
}

#[track_caller]
pub(crate) fn assert_refused(answer: &(StatusCode, Value), status: u16, error: &str) {
    assert_eq!((answer.0.as_u16(), answer.1["error"].as_str()), (status, Some(error)), "{}", answer.1);
}

#[tokio::test]
async fn the_metadata_says_where_everything_is() {
    let world = World::new().await;
    let (status, body) = answer(world.request(Method::GET, METADATA, None)).await;
    assert_eq!((status.as_u16(), &body["issuer"]), (200, &json!("https://one.test/")));
    for (name, value) in [
        ("response_modes_supported", "fragment"),
        ("code_challenge_methods_supported", "S256"),
        ("grant_types_supported", "refresh_token"),
    ] {
        assert!(body[name].as_array().unwrap().contains(&json!(value)), "{body}");
    }
    for endpoint in ["authorization", "token", "revocation", "registration"] {
        assert!(body[format!("{endpoint}_endpoint")].as_str().unwrap().starts_with("https://one.test/oauth2/"), "{body}");
    }
    for other in ["/.well-known/oauth-authorization-server", "/_matrix/client/unstable/org.matrix.msc2965/auth_metadata"] {
        assert_eq!(answer(world.request(Method::GET, other, None)).await.1, body);
    }
}

#[tokio::test]
async fn a_tenant_without_the_api_does_not_know_it() {
    let mut tenant = open_tenant("one.test");
    tenant.oauth = OauthConfig { enabled: false, ..OauthConfig::default() };
    let world = World::with(vec![tenant], ClientApiConfig::default()).await;
    for path in [METADATA, "/oauth2/authorize", "/oauth2/login", "/oauth2/create"] {
        assert_error(&answer(world.request(Method::GET, path, None)).await, 404, "M_UNRECOGNIZED");
    }
    assert_error(&world.post_as(None, "/oauth2/clients", metadata()).await, 404, "M_UNRECOGNIZED");
    assert_error(&token(&world, &[("grant_type", "refresh_token")]).await, 404, "M_UNRECOGNIZED");
}

#[tokio::test]
async fn the_legacy_api_can_be_switched_off() {
    let mut tenant = open_tenant("one.test");
    tenant.login = LoginConfig { legacy: false, ..LoginConfig::default() };
    let world = World::with(vec![tenant], ClientApiConfig::default()).await;
    let login = "/_matrix/client/v3/login";
    assert_error(&answer(world.request(Method::GET, login, None)).await, 404, "M_UNRECOGNIZED");
    let by_password = json!({"type": "m.login.password", "user": "alice", "password": "right"});
    assert_error(&world.post_as(None, login, by_password).await, 404, "M_UNRECOGNIZED");
    assert_error(&world.post_as(None, "/_matrix/client/v3/register", json!({})).await, 404, "M_UNRECOGNIZED");
    assert!(world.fakes.take().is_empty());
    code(&world, &register(&world).await).await;
}

#[tokio::test]
async fn an_app_registers_itself() {
    let world = World::new().await;
    let (status, body) = world.post_as(None, "/oauth2/clients", metadata()).await;
    assert_eq!(status.as_u16(), 201);
    assert!(!body["grant_types"].as_array().unwrap().contains(&json!("implicit")), "{body}");
    assert_eq!((&body["client_name"], &body["redirect_uris"]), (&json!("My <App>"), &json!([CALLBACK])));
    assert_eq!(register(&world).await, body["client_id"], "equal metadata has one id");
    let mut other = metadata();
    other["client_name"] = json!("Other");
    assert_ne!(world.post_as(None, "/oauth2/clients", other).await.1["client_id"], body["client_id"]);
    let mut wrong = metadata();
    wrong["redirect_uris"] = json!(["https://evil.org/"]);
    assert_refused(&world.post_as(None, "/oauth2/clients", wrong).await, 400, "invalid_redirect_uri");
    assert_refused(&world.post_as(None, "/oauth2/clients", json!({})).await, 400, "invalid_client_metadata");
    let broken = world.request(Method::POST, "/oauth2/clients", None).body("{");
    assert_refused(&answer(broken).await, 400, "invalid_client_metadata");
}

#[tokio::test]
async fn somebody_lets_an_app_in() {
    let world = World::new().await;
    let client_id = register(&world).await;
    let mut person = Person::new(&world);
    let shown = person.open(&authorize(&client_id, &[])).await;
    let next = sign_in(&mut person, &shown).await;
    let Call::CheckPassword(checked) = world.fakes.only() else { panic!("no password was checked") };
    assert_eq!((checked.caller.unwrap().user_id.as_str(), checked.password.as_str()), (ALICE, "right"));

    let consent = person.open(&next).await;
    assert_eq!(consent.status, 200);
    assert!(
        consent.html.contains("My &lt;App&gt;") && consent.html.contains("example.com") && consent.html.contains(ALICE),
        "{}",
        consent.html
    );
    assert!(consent.html.contains("https://example.com/tos") && consent.html.contains("app.example.com"), "{}", consent.html);
    assert!(consent.policy.contains("form-action 'self' https://app.example.com;"), "{}", consent.policy);
    let allowed = person.submit(&consent.form("consent-form"), &[("decision", "allow")]).await;
    let location = allowed.sent_to();
    assert!(location.starts_with("https://app.example.com/callback#"), "{location}");
    assert_eq!(told(location, "state").as_deref(), Some("st&te"));
    assert_eq!(told(location, "iss").as_deref(), Some("https://one.test/"));
    assert!(world.fakes.take().is_empty(), "there is no session yet");

    let code = told(location, "code").unwrap();
    let (status, body) = token(&world, &exchange(&client_id, &code)).await;
    assert_eq!(status.as_u16(), 200, "{body}");
    let expected = json!({
        "access_token": "byn_made", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "bynr_made", "scope": SCOPE,
    });
    assert_eq!(body, expected);
    let Call::Login(login) = world.fakes.only() else { panic!("no login") };
    assert_eq!((login.device_id.as_str(), login.initial_device_display_name.as_str()), ("TABLET", "My <App>"));
    assert!(login.proved && login.refreshable);
    assert_eq!((login.oauth_client, login.caller.unwrap().user_id.as_str()), (client_id.clone(), ALICE));

    // Signed in still: the next app is only asked about. Who says no is believed.
    let again = person.open(&authorize(&client_id, &[("response_mode", "query"), ("state", "")])).await;
    let denied = person.submit(&again.form("consent-form"), &[("decision", "deny")]).await;
    assert!(denied.sent_to().starts_with("https://app.example.com/callback?error=access_denied"), "{denied:?}");
    assert_eq!(told(denied.sent_to(), "state"), None);
}

#[tokio::test]
async fn a_code_is_for_one_app_that_asked_for_it_once() {
    let world = World::new().await;
    let client_id = register(&world).await;
    let mut other = metadata();
    other["client_name"] = json!("Other");
    let (_, other) = world.post_as(None, "/oauth2/clients", other).await;
    let code = code(&world, &client_id).await;
    let wrong = [
        ("code", "bync_made-up"),
        ("client_id", other["client_id"].as_str().unwrap()),
        ("redirect_uri", "https://app.example.com/other"),
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXX"),
    ];
    for (name, value) in wrong {
        let mut fields = exchange(&client_id, &code);
        fields.iter_mut().filter(|(key, _)| *key == name).for_each(|field| field.1 = value);
        assert_refused(&token(&world, &fields).await, 400, "invalid_grant");
    }
    for missing in ["code", "redirect_uri", "code_verifier", "client_id", "grant_type"] {
        let fields: Vec<_> = exchange(&client_id, &code).into_iter().filter(|(name, _)| *name != missing).collect();
        assert_refused(&token(&world, &fields).await, 400, "invalid_request");
    }
    let elsewhere = reqwest::Client::new().post(format!("http://{}/oauth2/token", world.address)).header("host", "two.test");
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(exchange(&client_id, &code)).finish();
    let elsewhere = elsewhere.header("content-type", "application/x-www-form-urlencoded").body(body);
    assert_refused(&answer(elsewhere).await, 401, "invalid_client");
    assert!(world.fakes.take().is_empty());

    assert_eq!(token(&world, &exchange(&client_id, &code)).await.0.as_u16(), 200);
    world.fakes.take();
    // Shown twice: somebody else has it, and the session that came of it ends.
    assert_refused(&token(&world, &exchange(&client_id, &code)).await, 400, "invalid_grant");
    let Call::Logout(ended) = world.fakes.only() else { panic!("the session goes on") };
    assert_eq!(ended.token_hash[..], TokenHash::of("byn_made").as_bytes()[..]);
}

#[tokio::test]
async fn a_code_that_brought_no_session_can_be_shown_again() {
    let world = World::new().await;
    let client_id = register(&world).await;
    let code = code(&world, &client_id).await;
    world.fakes.fail("Login", ServiceError::unavailable("away"));
    assert_refused(&token(&world, &exchange(&client_id, &code)).await, 503, "temporarily_unavailable");
    let first = world.fakes.take();
    assert_refused(&token(&world, &exchange(&client_id, &code)).await, 503, "temporarily_unavailable");
    let request_id =
        |call: &Call| if let Call::Login(login) = call { login.caller.clone().unwrap().request_id } else { panic!("{call:?}") };
    assert_eq!(request_id(&first[0]), request_id(&world.fakes.take()[0]), "one command, however often it is tried");
}

#[tokio::test]
async fn requests_that_cannot_be_are_refused_to_the_app() {
    let world = World::new().await;
    let client_id = register(&world).await;
    let mut person = Person::new(&world);
    for (changes, error) in [
        (&[("response_type", "token")][..], "unsupported_response_type"),
        (&[("response_mode", "form_post")], "invalid_request"),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("scope", "openid")], "invalid_scope"),
        (&[("scope", "urn:matrix:client:api:*")], "invalid_scope"),
        (&[("request", "x")], "request_not_supported"),
        (&[("prompt", "none")], "login_required"),
    ] {
        let shown = person.open(&authorize(&client_id, changes)).await;
        assert_eq!(told(shown.sent_to(), "error").as_deref(), Some(error), "{changes:?}");
        assert_eq!(told(shown.sent_to(), "state").as_deref(), Some("st&te"));
    }
    // Where to send the browser cannot be known.
    for changes in [
        [("client_id", "made-up")],
        [("client_id", "")],
        [("redirect_uri", "https://evil.org/")],
        [("redirect_uri", "https://app.example.com/callback/")],
        [("redirect_uri", "")],
    ] {
        let shown = person.open(&authorize(&client_id, &changes)).await;
        assert_eq!((shown.status, shown.location), (400, None), "{changes:?}");
    }
    let twice = format!("{}&client_id=x", authorize(&client_id, &[]));
    assert_eq!(person.open(&twice).await.status, 400);
}

#[tokio::test]
async fn apps_choose_the_page_that_is_shown_first() {
    let world = World::new().await;
    let client_id = register(&world).await;
    let mut person = Person::new(&world);
    let shown = person.open(&authorize(&client_id, &[("prompt", "create")])).await;
    assert!(shown.sent_to().starts_with("/oauth2/create?next="));
    let page = person.open(shown.sent_to()).await;
    assert!(page.is_labelled(), "{}", page.html);
    let typed = [("username", "alice"), ("password", "long enough")];
    let taken = person.submit(&page.form("create-form"), &typed).await;
    assert_eq!(taken.status, 400);
    assert!(taken.html.contains("This user name is taken") && taken.html.contains("value=\"alice\""), "{}", taken.html);
    let short = person.submit(&page.form("create-form"), &[("username", "bob"), ("password", "short")]).await;
    assert_eq!(short.status, 400);
    let wrong = [("username", "bob"), ("password", "long enough"), ("token", "nonsense")];
    assert_eq!(person.submit(&page.form("create-form"), &wrong).await.status, 403);
    assert!(world.fakes.take().is_empty(), "no account was made");

    let right = [("username", "carol"), ("password", "long enough"), ("token", "welcome")];
    person.submit(&page.form("create-form"), &right).await;
    let calls = world.fakes.take();
    let [Call::UseRegistrationToken(held), Call::Register(made), Call::UseRegistrationToken(used)] = &calls[..] else {
        panic!("{calls:?}")
    };
    assert_eq!((held.token.as_str(), &held.session), ("welcome", &used.session));
    assert_eq!((made.caller.as_ref().unwrap().user_id.as_str(), made.password.as_str()), ("@carol:one.test", "long enough"));
    assert!(made.inhibit_login, "the app gets its session by its code");

    let shown = person.open(&authorize(&client_id, &[])).await;
    let next = sign_in(&mut person, &shown).await;
    let login = person.open(&authorize(&client_id, &[("prompt", "login")])).await;
    assert!(login.sent_to().starts_with("/oauth2/login?next="), "also for who is signed in");
    assert!(!next.contains("prompt"));
    let none = person.open(&authorize(&client_id, &[("prompt", "none")])).await;
    assert_eq!(told(none.sent_to(), "error").as_deref(), Some("consent_required"));
}

#[tokio::test]
async fn forms_are_those_that_this_browser_was_shown() {
    let world = World::new().await;
    let client_id = register(&world).await;
    let mut person = Person::new(&world);
    let shown = person.open(&authorize(&client_id, &[])).await;
    let page = person.open(shown.sent_to()).await;
    let cookie = shown.set_cookie.clone().unwrap();
    for part in ["__Host-banyan_session=", "; HttpOnly", "; Secure", "; SameSite=Lax", "; Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let typed = [("user", "alice"), ("password", "right")];
    let mut stranger = Person::new(&world);
    assert_eq!(stranger.submit(&page.form("sign-in-form"), &typed).await.status, 400, "no cookie");
    let mut form = page.form("sign-in-form");
    form.fields.insert("csrf".to_owned(), "x".repeat(43));
    assert_eq!(person.submit(&form, &typed).await.status, 400, "a made-up token");
    form.fields.remove("csrf");
    assert_eq!(person.submit(&form, &typed).await.status, 400, "no token");
    let fields = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(&page.form("sign-in-form").fields)
        .extend_pairs(typed)
        .finish();
    let from = |site: &str| {
        let request = person.request(Method::POST, "/oauth2/login").header("content-type", "application/x-www-form-urlencoded");
        request.header("sec-fetch-site", site).body(fields.clone()).send()
    };
    assert_eq!(from("cross-site").await.unwrap().status().as_u16(), 400);
    assert!(world.fakes.take().is_empty());

    let before = person.cookie.clone();
    let signed_in = person.submit(&page.form("sign-in-form"), &typed).await;
    assert_ne!(person.cookie, before, "a cookie that was known before is worth nothing");
    let consent = person.open(signed_in.sent_to()).await;
    let mut stranger = Person::new(&world);
    stranger.cookie = before;
    assert_eq!(stranger.submit(&consent.form("consent-form"), &[("decision", "allow")]).await.status, 400);
    // A page elsewhere cannot be gone on to.
    let mut form = page.form("sign-in-form");
    form.fields.insert("csrf".to_owned(), consent.form("consent-form").fields["csrf"].clone());
    form.fields.insert("next".to_owned(), "https://evil.org/".to_owned());
    assert!(person.submit(&form, &typed).await.sent_to().starts_with("/oauth2/"));
}

#[tokio::test]
async fn whoever_may_not_sign_in_is_told_so() {
    let world = World::new().await;
    world.user_entry("@locked:one.test", Kind::Account(Account { locked: true, ..Account::default() })).await;
    let mut person = Person::new(&world);
    let page = person.open("/oauth2/login?next=/oauth2/authorize").await;
    let form = page.form("sign-in-form");
    let locked = person.submit(&form, &[("user", "locked"), ("password", "right")]).await;
    assert_eq!(locked.status, 401);
    assert!(locked.html.contains("has been locked") && locked.set_cookie.is_none(), "{}", locked.html);
    world.fakes.fail("CheckPassword", ServiceError::forbidden("Invalid username or password"));
    let mut pages = Vec::new();
    for user in ["alice", "nobody", "@alice:elsewhere.org"] {
        let shown = person.submit(&form, &[("user", user), ("password", "wrong")]).await;
        assert_eq!(shown.status, 403);
        pages.push(shown.html.replace(user, ""));
    }
    let without_nonce =
        |html: &String| html.split("nonce").map(|part| part.get(26..).unwrap_or(part).to_owned()).collect::<Vec<_>>();
    assert_eq!(without_nonce(&pages[0]), without_nonce(&pages[1]), "nobody learns who is there");
    assert_eq!(without_nonce(&pages[0]), without_nonce(&pages[2]));
}

#[tokio::test]
async fn a_browser_is_signed_out_with_the_account() {
    let world = World::new().await;
    let client_id = register(&world).await;
    let mut person = Person::new(&world);
    let shown = person.open(&authorize(&client_id, &[])).await;
    let next = sign_in(&mut person, &shown).await;
    assert_eq!(person.open(&next).await.status, 200);
    world.user_entry(ALICE, Kind::Account(Account { locked: true, ..Account::default() })).await;
    assert!(person.open(&next).await.sent_to().starts_with("/oauth2/login"), "locked");
    world.user_entry(ALICE, Kind::Account(Account { password_hash: "changed".to_owned(), ..Account::default() })).await;
    assert!(person.open(&next).await.sent_to().starts_with("/oauth2/login"), "another password");
    world.user_entry(ALICE, Kind::Account(Account::default())).await;
    let consent = person.open(&next).await;
    let out = consent.html.split("action=\"/oauth2/logout\"").nth(1).unwrap();
    assert!(out.contains("id=\"switch\""));
    let mut form = consent.form("consent-form");
    form.action = "/oauth2/logout".to_owned();
    assert_eq!(person.submit(&form, &[]).await.sent_to(), "/oauth2/login");
    assert!(person.cookie.is_none());
}

async fn issue(world: &World, client_id: &str) {
    let oauth_client = client_id.to_owned();
    let access = banyan_proto::users::AccessToken {
        user_id: ALICE.to_owned(),
        device_id: "TABLET".to_owned(),
        oauth_client: oauth_client.clone(),
        ..Default::default()
    };
    let token_hash = TokenHash::of("oauth-access").as_bytes().to_vec().into();
    world.user_entry(ALICE, Kind::TokenIssued(AccessTokenIssued { token_hash, token: Some(access) })).await;
    let token = RefreshToken { user_id: ALICE.to_owned(), device_id: "TABLET".to_owned(), oauth_client, ..RefreshToken::default() };
    let token_hash = TokenHash::of("oauth-refresh").as_bytes().to_vec().into();
    world.user_entry(ALICE, Kind::RefreshIssued(RefreshTokenIssued { token_hash, token: Some(token) })).await;
}

#[tokio::test]
async fn tokens_are_refreshed_by_their_app_through_this_api() {
    let world = World::new().await;
    let client_id = register(&world).await;
    issue(&world, &client_id).await;
    let refresh = [("grant_type", "refresh_token"), ("client_id", client_id.as_str()), ("refresh_token", "oauth-refresh")];
    let (status, body) = token(&world, &refresh).await;
    assert_eq!((status.as_u16(), &body["refresh_token"], &body["token_type"]), (200, &json!("bynr_made"), &json!("Bearer")));
    assert!(matches!(world.fakes.only(), Call::Refresh(_)));

    let legacy = world.post_as(None, "/_matrix/client/v3/refresh", json!({"refresh_token": "oauth-refresh"})).await;
    assert_error(&legacy, 401, "M_UNKNOWN_TOKEN");
    let mut other = metadata();
    other["client_name"] = json!("Other");
    let (_, other) = world.post_as(None, "/oauth2/clients", other).await;
    let stolen =
        [("grant_type", "refresh_token"), ("client_id", other["client_id"].as_str().unwrap()), ("refresh_token", "oauth-refresh")];
    assert_refused(&token(&world, &stolen).await, 400, "invalid_grant");
    let unknown = [("grant_type", "refresh_token"), ("client_id", client_id.as_str()), ("refresh_token", "x")];
    assert_refused(&token(&world, &unknown).await, 400, "invalid_grant");
    assert_refused(
        &token(&world, &[("grant_type", "password"), ("client_id", client_id.as_str())]).await,
        400,
        "unsupported_grant_type",
    );
    let mut device_only = metadata();
    device_only["grant_types"] = json!(["urn:ietf:params:oauth:grant-type:device_code"]);
    let (_, device_only) = world.post_as(None, "/oauth2/clients", device_only).await;
    let not_theirs =
        [("grant_type", "refresh_token"), ("client_id", device_only["client_id"].as_str().unwrap()), ("refresh_token", "x")];
    assert_refused(&token(&world, &not_theirs).await, 400, "unauthorized_client");
    assert!(world.fakes.take().is_empty());
    let locked = ServiceError::matrix(ErrorCode::Unauthenticated, "M_USER_LOCKED", "This account has been locked");
    world.fakes.fail("Refresh", locked);
    // It may be unlocked: the app is not to forget its session.
    assert_refused(&token(&world, &refresh).await, 503, "temporarily_unavailable");
}

#[tokio::test]
async fn a_session_ends_by_either_of_its_tokens() {
    let world = World::new().await;
    let client_id = register(&world).await;
    issue(&world, &client_id).await;
    let revoke = |token: &str| {
        let request =
            world.request(Method::POST, "/oauth2/revoke", None).header("content-type", "application/x-www-form-urlencoded");
        answer(request.body(format!("token={token}&token_type_hint=refresh_token")))
    };
    assert_eq!(revoke("oauth-access").await.0.as_u16(), 200);
    let Call::Logout(request) = world.fakes.only() else { panic!("no logout") };
    assert_eq!(request.token_hash[..], TokenHash::of("oauth-access").as_bytes()[..]);
    assert_eq!(revoke("oauth-refresh").await.0.as_u16(), 200);
    let Call::Logout(request) = world.fakes.only() else { panic!("no logout") };
    assert_eq!(request.refresh_hash[..], TokenHash::of("oauth-refresh").as_bytes()[..]);
    assert_eq!(revoke("made-up").await.0.as_u16(), 200);
    assert!(world.fakes.take().is_empty());
    let missing = world.request(Method::POST, "/oauth2/revoke", None).header("content-type", "application/x-www-form-urlencoded");
    assert_refused(&answer(missing.body("x=y")).await, 400, "invalid_request");
}

#[tokio::test]
async fn what_needs_a_password_is_refused_to_apps() {
    let world = World::new().await;
    issue(&world, "some-app").await;
    let app = Some("oauth-access");
    let (status, body) = answer(world.request(Method::GET, "/_matrix/client/v3/account/whoami", app)).await;
    assert_eq!((status.as_u16(), &body["user_id"], &body["device_id"]), (200, &json!(ALICE), &json!("TABLET")));
    for path in
        ["/_matrix/client/v3/account/password", "/_matrix/client/v3/account/deactivate", "/_matrix/client/v1/login/get_token"]
    {
        assert_error(&world.post_as(app, path, json!({"new_password": "x"})).await, 403, "M_FORBIDDEN");
    }
    assert_error(&world.post_as(app, "/_matrix/client/v3/delete_devices", json!({"devices": ["DEV"]})).await, 403, "M_FORBIDDEN");
    let delete = world.request(Method::DELETE, "/_matrix/client/v3/devices/DEV", app).body("{}");
    assert_error(&answer(delete).await, 403, "M_FORBIDDEN");
    let (_, body) = answer(world.request(Method::GET, "/_matrix/client/v3/capabilities", app)).await;
    assert_eq!(body["capabilities"]["m.change_password"]["enabled"], false);
    assert!(world.fakes.take().is_empty());
}
