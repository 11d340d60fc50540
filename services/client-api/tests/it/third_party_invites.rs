//! Inviting by e-mail addresses, through an identity server that the test runs.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::State,
    http::HeaderMap,
    response::IntoResponse,
    routing::{get, post},
};
use banyan_client_api::ClientApiConfig;
use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::roomserver::change_membership_request::Action;
use banyan_tenants::config::IdentityServerConfig;
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    fakes::Call,
    room::{ROOM, Room},
    world::{ALICE, World, assert_error, open_tenant},
};

const BOB: &str = "@bob:one.test";
/// SHA-256 of "bob@mail.test email pepper".
const HASH: &str = "Qv2WPnRvV03z-LeygymDVrsO05c3tnNsI-vv0dR3A7I";

/// What the identity server knows and heard.
#[derive(Clone, Default)]
struct Identities(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    mappings: Value,
    /// Instead of its answer to `store-invite`.
    refusal: Option<(u16, Value)>,
    stored: Vec<Value>,
    lookups: Vec<Value>,
    token: String,
}

impl Identities {
    fn with<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    /// Notes whose token it is.
    fn note(&self, headers: &HeaderMap) {
        let token = headers["authorization"].to_str().unwrap().to_owned();
        self.with(|known| known.token = token);
    }
}

async fn start(identities: &Identities) -> String {
    let details = |State(known): State<Identities>, headers: HeaderMap| async move {
        known.note(&headers);
        Json(json!({"lookup_pepper": "pepper", "algorithms": ["none", "sha256"]}))
    };
    let lookup = |State(known): State<Identities>, headers: HeaderMap, Json(body): Json<Value>| async move {
        known.note(&headers);
        let mappings = known.with(|known| {
            known.lookups.push(body);
            known.mappings.clone()
        });
        Json(json!({ "mappings": mappings }))
    };
    let store = |State(known): State<Identities>, headers: HeaderMap, Json(body): Json<Value>| async move {
        known.note(&headers);
        known.with(|known| {
            known.stored.push(body);
            let (status, answer) = known.refusal.clone().unwrap_or_else(|| (200, stored()));
            (StatusCode::from_u16(status).unwrap(), Json(answer)).into_response()
        })
    };
    let router = Router::new()
        .route("/_matrix/identity/v2/hash_details", get(details))
        .route("/_matrix/identity/v2/lookup", post(lookup))
        .route("/_matrix/identity/v2/store-invite", post(store))
        .with_state(identities.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn stored() -> Value {
    let key = |n: u8| json!({"public_key": format!("key{n}"), "key_validity_url": format!("https://id.test/{n}")});
    json!({"token": "t0ken", "public_keys": [key(1), key(2)], "display_name": "b...@m..."})
}

/// A world that trusts the identity server `id.test`, and a room with Alice in it.
async fn world() -> (World, Identities, Room) {
    let identities = Identities::default();
    let url = start(&identities).await;
    let mut tenant = open_tenant("one.test");
    tenant.identity_servers = vec![IdentityServerConfig { name: "id.test".to_owned(), url: Some(url) }];
    let world = World::with(vec![tenant], ClientApiConfig::default()).await;
    let mut room = Room::new(&world, &[ALICE]).await;
    room.add(&world, "m.room.name", Some(""), ALICE, json!({"name": "A room"})).await;
    (world, identities, room)
}

fn wish() -> Value {
    json!({"id_server": "id.test", "id_access_token": "is-token", "medium": "email", "address": "Bob@Mail.test"})
}

async fn invite(world: &World, body: Value) -> (StatusCode, Value) {
    world.post(&format!("/_matrix/client/v3/rooms/{ROOM}/invite"), body).await
}

#[tokio::test]
async fn who_is_known_is_invited_by_their_user_id() {
    let (world, identities, _room) = world().await;
    identities.with(|known| known.mappings = json!({ HASH: BOB }));
    let (status, body) = invite(&world, wish()).await;
    assert_eq!((status.as_u16(), &body), (200, &json!({})), "{body}");
    let Call::ChangeMembership(change) = world.fakes.only() else { panic!("something else") };
    assert_eq!((change.target.as_str(), change.action()), (BOB, Action::Invite));
    identities.with(|known| {
        assert_eq!(known.lookups, [json!({"algorithm": "sha256", "pepper": "pepper", "addresses": [HASH]})]);
        assert_eq!((known.token.as_str(), known.stored.len()), ("Bearer is-token", 0));
    });
}

#[tokio::test]
async fn who_is_not_known_gets_a_mail_and_the_room_an_event() {
    let (world, identities, _room) = world().await;
    let (status, body) = invite(&world, wish()).await;
    assert_eq!((status.as_u16(), &body), (200, &json!({})), "{body}");
    let Call::SendEvent(sent) = world.fakes.only() else { panic!("something else") };
    assert_eq!((sent.r#type.as_str(), sent.state_key.as_deref()), ("m.room.third_party_invite", Some("t0ken")));
    let content: Value = serde_json::from_slice(&sent.content).unwrap();
    let mut expected = json!({"display_name": "b...@m...", "public_key": "key1", "key_validity_url": "https://id.test/1"});
    expected["public_keys"] = stored()["public_keys"].clone();
    assert_eq!(content, expected);
    let told = json!({"medium": "email", "address": "bob@mail.test", "room_id": ROOM, "sender": ALICE, "room_name": "A room"});
    identities.with(|known| assert_eq!(known.stored, [told]));
}

#[tokio::test]
async fn a_new_room_invites_by_address_too() {
    let (world, identities, _room) = world().await;
    // What the roomserver would have made.
    Room::with_id(&world, "!new", &[ALICE], json!({"room_version": "11"})).await;
    world.fakes.take();
    let (status, body) = world.post("/_matrix/client/v3/createRoom", json!({"invite_3pid": [wish()]})).await;
    assert_eq!((status.as_u16(), &body), (200, &json!({"room_id": "!new"})), "{body}");
    let calls = world.fakes.take();
    let [Call::PrepareRoom(_), Call::CreateRoom(create), Call::SendEvent(sent)] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!((sent.room_id.as_str(), sent.state_key.as_deref()), ("!new", Some("t0ken")));
    assert_ne!(create.caller.as_ref().unwrap().request_id, sent.caller.as_ref().unwrap().request_id);
    assert_eq!(identities.with(|known| known.stored.len()), 1);

    // The room is there, so it is answered, whoever could not be invited.
    identities.with(|known| known.refusal = Some((500, Value::Null)));
    assert_eq!(world.post("/_matrix/client/v3/createRoom", json!({"invite_3pid": [wish()]})).await.1["room_id"], "!new");
    world.fakes.take();
    let mut elsewhere = wish();
    elsewhere["id_server"] = json!("elsewhere.test");
    let refused = world.post("/_matrix/client/v3/createRoom", json!({"invite_3pid": [elsewhere]})).await;
    assert_error(&refused, 403, "M_SERVER_NOT_TRUSTED");
    let many = vec![wish(); 11];
    assert_error(&world.post("/_matrix/client/v3/createRoom", json!({ "invite_3pid": many })).await, 400, "M_INVALID_PARAM");
    assert!(world.fakes.take().is_empty());
}

#[tokio::test]
async fn nobody_is_asked_for_what_cannot_be() {
    let (world, identities, mut room) = world().await;
    for (member, value, status, errcode) in [
        ("id_server", json!("elsewhere.test"), 403, "M_SERVER_NOT_TRUSTED"),
        ("medium", json!("msisdn"), 400, "M_THREEPID_MEDIUM_NOT_SUPPORTED"),
        ("address", json!("bob"), 400, "M_INVALID_PARAM"),
        ("id_access_token", json!(7), 400, "M_BAD_JSON"),
    ] {
        let mut body = wish();
        body[member] = value;
        assert_error(&invite(&world, body).await, status, errcode);
    }
    let elsewhere = "/_matrix/client/v3/rooms/!nowhere:one.test/invite";
    assert_error(&world.post(elsewhere, wish()).await, 403, "M_FORBIDDEN");
    room.add(&world, "m.room.power_levels", Some(""), ALICE, json!({"users": {ALICE: 49}, "invite": 50})).await;
    assert_error(&invite(&world, wish()).await, 403, "M_FORBIDDEN");
    assert!(world.fakes.take().is_empty());
    identities.with(|known| assert_eq!((known.stored.len(), known.lookups.len()), (0, 0)));
}

#[tokio::test]
async fn what_the_identity_server_says_is_told() {
    let (world, identities, _room) = world().await;
    for (refusal, status, errcode) in [
        ((403, json!({"errcode": "M_TERMS_NOT_SIGNED", "error": "Sign"})), 403, "M_TERMS_NOT_SIGNED"),
        ((400, json!({"errcode": "M_THREEPID_IN_USE"})), 400, "M_THREEPID_IN_USE"),
        // Not its 401: clients would think that their session is over.
        ((401, json!({"errcode": "M_UNKNOWN_TOKEN"})), 403, "M_FORBIDDEN"),
        ((500, Value::Null), 503, "M_UNKNOWN"),
        ((200, json!({"token": "not a token", "public_keys": [], "display_name": ""})), 503, "M_UNKNOWN"),
        ((200, json!([])), 503, "M_UNKNOWN"),
    ] {
        identities.with(|known| known.refusal = Some(refusal));
        assert_error(&invite(&world, wish()).await, status, errcode);
    }
    assert!(world.fakes.take().is_empty());
    identities.with(|known| known.refusal = None);
    world.fakes.fail("SendEvent", ServiceError::matrix(ErrorCode::Forbidden, "M_FORBIDDEN", "no"));
    assert_error(&invite(&world, wish()).await, 403, "M_FORBIDDEN");
}
