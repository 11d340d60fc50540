use ruma::{
    CanonicalJsonObject,
    room_version_rules::RedactionRules,
    serde::Base64,
    signatures::{Ed25519KeyPair, hash_and_sign_event},
};
use serde_json::{Value, json};

use super::{ServerSigner, required_signers, verify};
use crate::{
    event_builder::content_from_json,
    pdu::Pdu,
    testing::{View, signer, user},
};

/// The seed, server and key of the specification's test vectors (appendices, "Cryptographic Test Vectors").
fn seed() -> [u8; 32] {
    let seed: Base64 = Base64::parse("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1").unwrap();
    seed.into_inner().try_into().unwrap()
}

fn vectors_signer() -> ServerSigner {
    ServerSigner::new("domain".try_into().unwrap(), "1", &seed()).unwrap()
}

fn object(value: Value) -> CanonicalJsonObject {
    serde_json::from_value(value).unwrap()
}

#[test]
fn json_is_signed_as_in_the_specification() {
    for (mut value, signature) in [
        (object(json!({})), "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"),
        (
            object(json!({ "one": 1, "two": "Two" })),
            "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw",
        ),
    ] {
        vectors_signer().sign_json(&mut value).unwrap();
        let value = serde_json::to_value(value).unwrap();
        assert_eq!(value["signatures"]["domain"]["ed25519:1"], signature);
    }
}

/// The vectors of events are of room version 1, which hashes and signs like later ones but for the redaction rules.
fn sign_by_version_1(event: Value) -> Value {
    let mut event = object(event);
    let pkcs8 = [&[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20][..], &seed()].concat();
    let key = Ed25519KeyPair::from_der(&pkcs8, "1".to_owned()).unwrap();
    hash_and_sign_event("domain", &key, &mut event, &RedactionRules::V1).unwrap();
    serde_json::to_value(event).unwrap()
}

#[test]
fn events_are_hashed_and_signed_as_in_the_specification() {
    let minimal = sign_by_version_1(json!({
        "room_id": "!x:domain", "sender": "@a:domain", "origin": "domain", "origin_server_ts": 1_000_000, "signatures": {}, "hashes": {},
        "type": "X", "content": {}, "prev_events": [], "auth_events": [], "depth": 3, "unsigned": { "age_ts": 1_000_000 },
    }));
    assert_eq!(minimal["hashes"]["sha256"], "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos");
    assert_eq!(
        minimal["signatures"]["domain"]["ed25519:1"],
        "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg"
    );
    let redactable = sign_by_version_1(json!({
        "content": { "body": "Here is the message content" }, "event_id": "$0:domain", "origin": "domain", "origin_server_ts": 1_000_000,
        "type": "m.room.message", "room_id": "!r:domain", "sender": "@u:domain", "signatures": {}, "unsigned": { "age_ts": 1_000_000 },
    }));
    assert_eq!(redactable["hashes"]["sha256"], "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g");
    assert_eq!(
        redactable["signatures"]["domain"]["ed25519:1"],
        "Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA"
    );
}

#[test]
fn canonical_json_is_as_in_the_specification() {
    for (given, canonical) in [
        ("{}", "{}"),
        (r#"{ "one": 1, "two": "Two" }"#, r#"{"one":1,"two":"Two"}"#),
        (r#"{ "b": "2", "a": "1" }"#, r#"{"a":"1","b":"2"}"#),
        (
            r#"{"auth": {"success": true, "mxid": "@john.doe:example.com", "profile": {"display_name": "John Doe", "three_pids": [
                {"medium": "email", "address": "john.doe@example.org"}, {"medium": "msisdn", "address": "123456789"}]}}}"#,
            r#"{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}"#,
        ),
        (r#"{"a": "日本語"}"#, r#"{"a":"日本語"}"#),
        (r#"{"本": 2, "日": 1}"#, r#"{"日":1,"本":2}"#),
        (r#"{"a": "\u65E5"}"#, r#"{"a":"日"}"#),
        (r#"{"a": null}"#, r#"{"a":null}"#),
        (r#"{"a": -0, "b": 1e10}"#, r#"{"a":0,"b":10000000000}"#),
    ] {
        assert_eq!(serde_json::to_string(&content_from_json(given.as_bytes()).unwrap()).unwrap(), canonical);
    }
    for given in ["[]", r#"{"a": 1.5}"#, r#"{"a": 9007199254740992}"#, r#"{"a": -1e300}"#, "{"] {
        assert!(content_from_json(given.as_bytes()).is_err(), "{given}");
    }
}

fn keys(users: &[&str]) -> ruma::signatures::PublicKeyMap {
    users
        .iter()
        .map(|name| {
            let signer = signer(&user(name));
            let set = [(signer.key_id(), Base64::new(signer.public_key().to_vec()))].into();
            (signer.server().to_string(), set)
        })
        .collect()
}

#[tokio::test]
async fn signatures_hold_and_a_wrong_hash_costs_the_content() {
    let mut view = View::with_room("12", "@a:one.org", &[], "invite").await;
    let message = view.send("@a:one.org", "m.room.message", None, json!({ "body": "hello" })).await.unwrap();
    let keys = keys(&["@a:one.org", "@b:two.org"]);
    assert_eq!(verify(&message, &keys).unwrap(), message);

    let mut changed = message.to_object();
    changed.insert("content".to_owned(), object(json!({ "body": "goodbye" })).into());
    let changed = Pdu::from_object(changed, message.version()).unwrap();
    assert_eq!(changed.event_id(), message.event_id(), "content is not part of the id");
    assert_eq!(verify(&changed, &keys).unwrap().content().get(), "{}");

    let mut stolen = message.to_object();
    stolen.insert("depth".to_owned(), ruma::UInt::from(99_u32).into());
    assert!(verify(&Pdu::from_object(stolen, message.version()).unwrap(), &keys).is_err());
    assert!(verify(&message, &Default::default()).is_err(), "no key, no trust");
}

#[tokio::test]
async fn the_invited_server_signs_beside_the_inviting_one() {
    let view = View::with_room("11", "@a:one.org", &[], "invite").await;
    let invite = view.make("@a:one.org", "m.room.member", Some("@b:two.org"), json!({ "membership": "invite" })).await;
    let signed = signer(&user("@b:two.org")).co_sign(&invite).unwrap();
    assert_eq!(signed.event_id(), invite.event_id());
    let signatures = serde_json::from_slice::<Value>(signed.json()).unwrap()["signatures"].clone();
    assert_eq!(signatures.as_object().unwrap().len(), 2);
    assert!(verify(&signed, &keys(&["@a:one.org", "@b:two.org"])).is_ok());

    let content = json!({ "membership": "join", "join_authorised_via_users_server": "@a:one.org" });
    let join = view.make("@c:three.org", "m.room.member", Some("@c:three.org"), content).await;
    let mut signers = required_signers(&join).unwrap();
    signers.sort();
    assert_eq!(signers, ["one.org", "three.org"]);
    assert!(verify(&join, &keys(&["@a:one.org", "@c:three.org"])).is_err(), "the authorising server has not signed");
}
