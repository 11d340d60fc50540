//! The account pages.

use banyan_core::ServiceError;
use banyan_proto::users::{
    AccessToken, AccessTokenIssued, Account, CrossSigningKeyChanged, CrossSigningUsage, Device, DeviceChanged, user_entry::Kind,
};
use banyan_users::TokenHash;
use http::Method;
use serde_json::json;

use crate::{
    fakes::Call,
    oauth::sign_in,
    person::{Person, Shown},
    world::{ALICE, World, answer},
};

const ACCOUNT: &str = "/oauth2/account";

/// Alice, with a password and two devices.
async fn world() -> World {
    let world = World::new().await;
    world.user_entry(ALICE, Kind::Account(Account { password_hash: "a hash".to_owned(), ..Account::default() })).await;
    for (device_id, display_name, last_seen) in [("PHONE", "Alice's <phone>", 1_790_000_000_000_000), ("OLD", "", 0)] {
        let device =
            Device { display_name: display_name.to_owned(), last_seen, last_seen_ip: "10.0.0.7".to_owned(), ..Device::default() };
        let changed = DeviceChanged { device_id: device_id.to_owned(), device: Some(device) };
        world.user_entry(ALICE, Kind::Device(changed)).await;
    }
    world
}

/// The page of an action, for Alice.
async fn open(world: &World, person: &mut Person<'_>, action: &str) -> Shown {
    let shown = person.open(&format!("{ACCOUNT}?action=org.matrix.{action}")).await;
    let next = sign_in(person, &shown).await;
    world.fakes.take();
    person.open(&next).await
}

#[tokio::test]
async fn devices_are_listed_and_can_be_signed_out() {
    let world = world().await;
    let mut person = Person::new(&world);
    let list = open(&world, &mut person, "devices_list").await;
    assert_eq!(list.status, 200);
    assert!(list.html.contains("Alice&#39;s &lt;phone&gt;") || list.html.contains("Alice's &lt;phone&gt;"), "{}", list.html);
    assert!(list.html.contains("GMT") && list.html.contains("device_id=OLD"), "{}", list.html);
    let device = person.open(&format!("{ACCOUNT}?action=org.matrix.device_delete&device_id=PHONE")).await;
    assert!(device.html.contains("10.0.0.7"), "{}", device.html);
    let gone = person.open(&format!("{ACCOUNT}?action=org.matrix.device_view&device_id=GONE")).await;
    assert_eq!(gone.status, 404);

    let mut forged = device.form("device-form");
    forged.fields.insert("csrf".to_owned(), "made-up".to_owned());
    assert_eq!(person.submit(&forged, &[]).await.status, 400);
    assert!(world.fakes.take().is_empty());
    assert_eq!(person.submit(&device.form("device-form"), &[]).await.sent_to(), ACCOUNT);
    let Call::DeleteDevices(deleted) = world.fakes.only() else { panic!("no device was ended") };
    assert_eq!((deleted.device_ids, deleted.caller.unwrap().user_id.as_str()), (vec!["PHONE".to_owned()], ALICE));
}

#[tokio::test]
async fn the_name_can_be_changed() {
    let world = world().await;
    let mut person = Person::new(&world);
    let page = open(&world, &mut person, "profile").await;
    assert!(page.is_labelled());
    let form = page.form("profile-form");
    assert_eq!(person.submit(&form, &[("displayname", " Alice A. ")]).await.sent_to(), ACCOUNT);
    let Call::SetProfile(set) = world.fakes.only() else { panic!("no profile was set") };
    assert_eq!((set.field.as_str(), &set.value[..]), ("displayname", &b"\"Alice A.\""[..]));
    let suspended = Account { password_hash: "a hash".to_owned(), suspended: true, ..Account::default() };
    world.user_entry(ALICE, Kind::Account(suspended)).await;
    assert_eq!(person.submit(&form, &[("displayname", "Other")]).await.status, 403);
    assert!(world.fakes.take().is_empty());
}

#[tokio::test]
async fn an_account_is_ended_by_whoever_knows_its_password() {
    let world = world().await;
    let mut person = Person::new(&world);
    let page = open(&world, &mut person, "account_deactivate").await;
    assert!(page.is_labelled(), "{}", page.html);
    let form = page.form("deactivate-form");
    assert_eq!(person.submit(&form, &[("password", "right")]).await.status, 400, "nobody said that they are sure");
    assert!(world.fakes.take().is_empty());
    let done = person.submit(&form, &[("password", "right"), ("sure", "yes"), ("erase", "yes")]).await;
    assert_eq!(done.status, 200, "{}", done.html);
    let calls = world.fakes.take();
    let [Call::CheckPassword(checked), Call::Deactivate(ended), ..] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!((checked.password.as_str(), ended.erase), ("right", true));
    world.fakes.fail("CheckPassword", ServiceError::forbidden("Invalid username or password"));
    let wrong = person.submit(&form, &[("password", "wrong"), ("sure", "yes")]).await;
    assert_eq!(wrong.status, 403);
    assert!(!world.fakes.take().iter().any(|call| matches!(call, Call::Deactivate(_))));
}

#[tokio::test]
async fn an_app_replaces_cross_signing_keys_once_that_is_approved() {
    const UPLOAD: &str = "/_matrix/client/v3/keys/device_signing/upload";
    let world = world().await;
    let token = AccessToken {
        user_id: ALICE.to_owned(),
        device_id: "PHONE".to_owned(),
        oauth_client: "app".to_owned(),
        ..Default::default()
    };
    let token_hash = TokenHash::of("oauth-access").as_bytes().to_vec().into();
    world.user_entry(ALICE, Kind::TokenIssued(AccessTokenIssued { token_hash, token: Some(token) })).await;
    let key = |key: &str| json!({"user_id": ALICE, "usage": ["master"], "keys": {format!("ed25519:{key}"): key}});
    let old = key("nqOvzeuGWT/sRx3h7+MHoInYj3Uk2LD/unI9kDYcHwk");
    let changed = CrossSigningKeyChanged { usage: CrossSigningUsage::Master.into(), key: old.to_string().into_bytes().into() };
    world.user_entry(ALICE, Kind::CrossSigningKey(changed)).await;
    let new = json!({"master_key": key("gqOvzeuGWT/sRx3h7+MHoInYj3Uk2LD/unI9kDYcHwk")});
    let upload = |auth: Option<serde_json::Value>| {
        let mut body = new.clone();
        if let Some(auth) = auth {
            body["auth"] = auth;
        }
        answer(world.request(Method::POST, UPLOAD, Some("oauth-access")).body(body.to_string()))
    };
    let (status, challenge) = upload(None).await;
    assert_eq!((status.as_u16(), &challenge["flows"][0]), (401, &json!({"stages": ["m.oauth"]})), "{challenge}");
    let session = json!({"session": challenge["session"]});
    assert_eq!(upload(Some(session.clone())).await.0.as_u16(), 401, "not approved yet");
    let url = challenge["params"]["m.oauth"]["url"].as_str().unwrap().strip_prefix("https://one.test").unwrap().to_owned();
    assert!(url.contains("action=org.matrix.cross_signing_reset"), "{url}");

    let mut person = Person::new(&world);
    let shown = person.open(&url).await;
    let next = sign_in(&mut person, &shown).await;
    let page = person.open(&next).await;
    world.fakes.take();
    let done = person.submit(&page.form("reset-form"), &[("password", "right")]).await;
    assert_eq!(done.status, 200, "{}", done.html);
    assert!(matches!(world.fakes.only(), Call::CheckPassword(_)));
    assert_eq!(upload(None).await.0.as_u16(), 401, "another request was not approved");
    assert_eq!(upload(Some(session.clone())).await.0.as_u16(), 200);
    let Call::UploadCrossSigningKeys(uploaded) = world.fakes.only() else { panic!("no keys") };
    assert!(uploaded.confirmed);
    assert_eq!(upload(Some(session)).await.0.as_u16(), 401, "it was approved once");

    // Approved before an app asks: for whatever asks next.
    let page = person.open(&format!("{ACCOUNT}?action=org.matrix.cross_signing_reset")).await;
    assert_eq!(person.submit(&page.form("reset-form"), &[("password", "right")]).await.status, 200);
    assert_eq!(upload(None).await.0.as_u16(), 200);
    assert_eq!(upload(None).await.0.as_u16(), 401);
}

#[tokio::test]
async fn a_password_is_changed_by_whoever_knows_the_old_one() {
    let world = world().await;
    let mut person = Person::new(&world);
    let shown = person.open(ACCOUNT).await;
    let next = sign_in(&mut person, &shown).await;
    assert!(person.open(&next).await.html.contains("id=\"password\""));
    let page = person.open(&format!("{ACCOUNT}?action=password")).await;
    assert!(page.is_labelled(), "{}", page.html);
    world.fakes.take();
    let form = page.form("password-form");
    assert_eq!(person.submit(&form, &[("password", "right"), ("new_password", "short")]).await.status, 400);
    let mut forged = form.clone();
    forged.fields.insert("csrf".to_owned(), "made-up".to_owned());
    let typed = [("password", "right"), ("new_password", "longer and new"), ("sign_out", "yes")];
    assert_eq!(person.submit(&forged, &typed).await.status, 400);
    assert!(world.fakes.take().is_empty());

    let before = person.cookie.clone();
    let done = person.submit(&form, &typed).await;
    assert_eq!(done.sent_to(), ACCOUNT);
    assert!(done.set_cookie.is_some() && person.cookie != before, "other browsers are signed out, this one goes on");
    let calls = world.fakes.take();
    let [Call::CheckPassword(checked), Call::ChangePassword(changed)] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!(
        (checked.password.as_str(), changed.new_password.as_str(), changed.logout_devices),
        ("right", "longer and new", true)
    );

    world.fakes.fail("CheckPassword", ServiceError::forbidden("Invalid username or password"));
    let form = person.open(&format!("{ACCOUNT}?action=password")).await.form("password-form");
    assert_eq!(person.submit(&form, &[("password", "wrong"), ("new_password", "longer and new")]).await.status, 403);
    assert!(!world.fakes.take().iter().any(|call| matches!(call, Call::ChangePassword(_))));
}

#[tokio::test]
async fn whoever_has_no_password_is_not_asked_for_one() {
    let world = World::new().await;
    world.user_entry(ALICE, Kind::Account(Account::default())).await;
    let mut person = Person::new(&world);
    let page = open(&world, &mut person, "account_deactivate").await;
    assert!(!page.html.contains("type=\"password\""), "{}", page.html);
    assert_eq!(person.open(&format!("{ACCOUNT}?action=password")).await.status, 404);
    let mut form = page.form("deactivate-form");
    form.action = "/oauth2/account/password".to_owned();
    let typed = [("password", ""), ("new_password", "longer and new")];
    assert_eq!(person.submit(&form, &typed).await.status, 404);
    assert!(world.fakes.take().is_empty());
}
