//! Signing keys: made once, kept, rotated.

use std::{path::Path, time::Duration};

use banyan_store::memory::{Faults, Target, WriteFault};
use banyan_tenants::{TenantConfig, Tenants};
use futures::future::join_all;

use crate::World;

const LINE: &str = "ed25519 a_1 YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1";
const OTHER: &str = "ed25519 a_2 1NNWe8/XNHrrtPqSd+Pv1Tmrnq8NrOA4lGq9e0U0nzQ";

fn with_file(path: &Path) -> TenantConfig {
    TenantConfig { signing_key_file: Some(path.to_owned()), ..TenantConfig::new("example.org") }
}

fn key_of(tenants: &Tenants) -> String {
    tenants.get("example.org").expect("the tenant").key().id()
}

#[tokio::test(start_paused = true)]
async fn replicas_that_start_together_agree_and_later_ones_too() {
    let world = World::new();
    // The store takes its time, so that the replicas overlap.
    let latency = Duration::from_millis(1)..Duration::from_millis(5);
    world.store.control().set_faults(Faults { latency, ..Faults::default() });
    let config = [TenantConfig::new("example.org"), TenantConfig::new("example.com")];
    let loaded = join_all((0..10).map(|seed| world.load(seed, &config))).await;
    let loaded: Vec<Tenants> = loaded.into_iter().map(|tenants| tenants.expect("tenants")).collect();
    let key = key_of(&loaded[0]);
    for tenants in &loaded {
        assert_eq!(key_of(tenants), key);
        assert!(tenants.get("example.org").expect("the tenant").old_keys().is_empty());
    }
    let other = loaded[0].get("example.com").expect("the tenant").key().id();
    assert_ne!(other, key, "tenants have keys of their own");
    assert_eq!(key_of(&world.load(99, &config).await.expect("tenants")), key);
}

#[tokio::test]
async fn a_lost_answer_does_not_make_two_keys() {
    for fault in [WriteFault::UnknownApplied, WriteFault::UnknownLost] {
        let world = World::new();
        let config = [TenantConfig::new("example.org")];
        world.store.control().inject(Target::Table("tenant_key"), fault);
        let first = key_of(&world.load(1, &config).await.expect("tenants"));
        assert_eq!(key_of(&world.load(2, &config).await.expect("tenants")), first, "{fault:?}");
    }
}

#[tokio::test]
async fn a_key_from_a_file_comes_first_and_the_one_before_it_is_listed_as_old() {
    let world = World::new();
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("signing.key");
    let generated = key_of(&world.load(1, &[TenantConfig::new("example.org")]).await.expect("tenants"));

    world.clock.advance(Duration::from_secs(60));
    std::fs::write(&file, LINE).expect("written");
    let tenants = world.load(1, &[with_file(&file)]).await.expect("tenants");
    let tenant = tenants.get("example.org").expect("the tenant");
    assert_eq!(tenant.key().id(), "ed25519:a_1");
    assert_eq!(tenant.old_keys().len(), 1);
    assert_eq!(tenant.old_keys()[0].id, generated);
    assert_eq!(tenant.old_keys()[0].expired.0, 1_800_000_060_000_000);

    std::fs::write(&file, OTHER).expect("written");
    let tenants = world.load(1, &[with_file(&file)]).await.expect("tenants");
    let tenant = tenants.get("example.org").expect("the tenant");
    let old: Vec<&str> = tenant.old_keys().iter().map(|key| key.id.as_str()).collect();
    assert_eq!((tenant.key().id().as_str(), old), ("ed25519:a_2", vec![generated.as_str(), "ed25519:a_1"]));

    // Without the file a new key is made: its secret was never stored.
    let tenants = world.load(5, &[TenantConfig::new("example.org")]).await.expect("tenants");
    let tenant = tenants.get("example.org").expect("the tenant");
    assert!(!["ed25519:a_1", "ed25519:a_2", generated.as_str()].contains(&tenant.key().id().as_str()));
    assert_eq!(tenant.old_keys().len(), 3);
    let again = world.load(6, &[TenantConfig::new("example.org")]).await.expect("tenants");
    assert_eq!(key_of(&again), tenant.key().id());
}

#[tokio::test]
async fn a_key_that_signs_again_is_not_listed_as_old() {
    let world = World::new();
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("signing.key");
    for line in [LINE, OTHER, LINE] {
        std::fs::write(&file, line).expect("written");
        world.load(1, &[with_file(&file)]).await.expect("tenants");
    }
    let tenants = world.load(1, &[with_file(&file)]).await.expect("tenants");
    let old: Vec<String> = tenants.get("example.org").expect("the tenant").old_keys().iter().map(|key| key.id.clone()).collect();
    assert_eq!(old, ["ed25519:a_2"]);
}
