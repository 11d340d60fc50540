//! Registration by a shared secret.

use std::{sync::Arc, time::Duration};

use banyan_core::{ErrorCode, ServiceError};
use banyan_users::{SharedSecretRegistration, shared_secret::SignedRegistration};
use futures::future::join_all;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::World;

fn service(world: &World) -> SharedSecretRegistration {
    SharedSecretRegistration::new(Arc::new(world.store.clone()), Arc::new(world.clock.clone()), world.entropy.clone())
}

fn mac(nonce: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(b"shared").expect("a key of any length");
    mac.update(format!("{nonce}\0alice\0wonderland\0admin").as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn verify(service: &SharedSecretRegistration, tenant: &str, nonce: &str, mac: &str) -> Result<(), ServiceError> {
    let request = SignedRegistration { nonce, username: "alice", password: "wonderland", admin: true, user_type: None, mac };
    service.verify(tenant, "shared", request).await
}

#[tokio::test(start_paused = true)]
async fn a_nonce_allows_one_account_on_any_replica() {
    let world = World::new();
    world.slow_store();
    let nonce = service(&world).nonce("example.org").await.expect("a nonce");
    let mac = mac(&nonce);
    let replicas: Vec<_> = (0..8).map(|_| service(&world)).collect();
    let outcomes = join_all(replicas.iter().map(|replica| verify(replica, "example.org", &nonce, &mac))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert_eq!((error.code, error.errcode.as_deref()), (ErrorCode::InvalidArgument, Some("M_UNKNOWN")));
    }
}

#[tokio::test]
async fn a_wrong_mac_leaves_the_nonce_and_a_strange_nonce_is_refused() {
    let world = World::new();
    let service = service(&world);
    let nonce = service.nonce("example.org").await.expect("a nonce");
    let error = verify(&service, "example.org", &nonce, &mac("another")).await.expect_err("a wrong mac");
    assert_eq!((error.code, error.message.as_ref()), (ErrorCode::Forbidden, "HMAC incorrect"));
    assert!(verify(&service, "example.com", &nonce, &mac(&nonce)).await.is_err(), "a nonce belongs to its tenant");
    assert!(verify(&service, "example.org", "made-up", &mac("made-up")).await.is_err());
    assert!(verify(&service, "example.org", &nonce, &mac(&nonce)).await.is_ok());
}

#[tokio::test]
async fn a_nonce_is_good_for_a_minute() {
    let world = World::new();
    let service = service(&world);
    let nonce = service.nonce("example.org").await.expect("a nonce");
    world.clock.advance(Duration::from_secs(61));
    assert!(verify(&service, "example.org", &nonce, &mac(&nonce)).await.is_err());
}
