//! What can be wrong with a configuration, and how that is said.

use banyan_tenants::{
    TenantConfig, Tenants,
    config::{OldVerifyKeyConfig, RateLimit, RegistrationTokenConfig, SsoProviderConfig, SupportConfig, SupportContact},
};

use crate::World;

fn base() -> TenantConfig {
    TenantConfig::new("example.org")
}

fn problem(configs: &[TenantConfig]) -> String {
    let errors = Tenants::check(configs).expect_err("something is wrong");
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn a_missing_secret_file_is_named_with_its_tenant_and_option() {
    let world = World::new();
    let mut config = base();
    config.signing_key_file = Some("/nowhere/signing.key".into());
    let error = world.load(1, &[config]).await.expect_err("no such file").to_string();
    assert!(error.starts_with("tenant example.org: signing_key_file: cannot read /nowhere/signing.key: "), "{error}");

    let mut config = base();
    config.registration.shared_secret_file = Some("/nowhere/secret".into());
    assert!(problem(&[config]).starts_with("tenant example.org: registration.shared_secret_file: cannot read /nowhere/secret: "));

    let mut config = base();
    config.registration.tokens = vec![RegistrationTokenConfig { token_file: Some("/nowhere/token".into()), ..Default::default() }];
    assert!(problem(&[config]).contains("registration.tokens[0].token_file: cannot read /nowhere/token: "));
}

#[test]
fn what_is_wrong_with_a_secret_is_said_without_showing_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("secret");
    std::fs::write(&file, "ed25519 a_1 c2VjcmV0c2VjcmV0").expect("written");
    let mut config = base();
    config.signing_key_file = Some(file.clone());
    let text = problem(&[config]);
    assert!(text.contains("signing_key_file") && text.contains("12 bytes, not 32") && !text.contains("c2VjcmV0"), "{text}");

    std::fs::write(&file, " \n").expect("written");
    let mut config = base();
    config.registration.shared_secret_file = Some(file);
    assert!(problem(&[config]).contains("the file is empty"));
}

#[test]
fn every_mistake_names_its_option() {
    let token = |token: &str| RegistrationTokenConfig { token: Some(token.to_owned()), ..Default::default() };
    let contact = SupportContact { role: "m.role.admin".to_owned(), matrix_id: None, email_address: None, pgp_key: None };
    let mut cases: Vec<(&str, TenantConfig)> = vec![
        ("server_name", TenantConfig::new("not a name")),
        ("server_name", TenantConfig::new(format!("{}.org", "a".repeat(230)))),
        ("base_url", TenantConfig { base_url: Some("matrix.example.org".to_owned()), ..base() }),
        ("federation_server", TenantConfig { federation_server: Some("https://x".to_owned()), ..base() }),
        ("support", TenantConfig { support: Some(SupportConfig::default()), ..base() }),
        (
            "support.contacts[0]",
            TenantConfig { support: Some(SupportConfig { contacts: vec![contact], support_page: None }), ..base() },
        ),
        ("default_room_version", TenantConfig { default_room_version: "9".to_owned(), ..base() }),
    ];
    for tokens in [vec![token("a b")], vec![token("")], vec![token(&"a".repeat(65))], vec![RegistrationTokenConfig::default()]] {
        let mut config = base();
        config.registration.tokens = tokens;
        cases.push(("registration.tokens[0]", config));
    }
    let mut config = base();
    config.registration.tokens = vec![token("same"), token("same")];
    cases.push(("registration.tokens[1]", config));
    let mut config = base();
    config.rate_limits.login = RateLimit { per_second: 0.0, burst: 1 };
    cases.push(("rate_limits.login", config));
    let mut config = base();
    config.login.legacy = false;
    cases.push(("login.legacy", config));
    let provider = |id: &str, issuer: &str| SsoProviderConfig {
        id: id.to_owned(),
        name: "The corporation".to_owned(),
        brand: None,
        issuer: issuer.to_owned(),
        client_id: "banyan".to_owned(),
        client_secret_file: None,
        scopes: Vec::new(),
        create_accounts: true,
        existing_accounts: false,
    };
    let reached = || TenantConfig { base_url: Some("https://example.org".to_owned()), ..base() };
    let good = provider("corp", "https://id.example.org");
    for (option, sso, config) in [
        ("sso[0]", vec![good.clone()], base()),
        ("sso[0]", vec![provider("a/b", "https://id.example.org")], reached()),
        ("sso[0]", vec![provider("corp", "id.example.org")], reached()),
        ("sso[1]", vec![good.clone(), good], reached()),
    ] {
        cases.push((option, TenantConfig { sso, ..config }));
    }
    for (option, config) in cases {
        let text = problem(&[config]);
        assert!(text.contains(&format!(": {option}: ")), "{option}: {text}");
    }
}

#[tokio::test]
async fn old_keys_of_the_configuration_are_listed() {
    let key =
        |id: &str, public: &str| OldVerifyKeyConfig { key_id: id.to_owned(), public_key: public.to_owned(), expired_ts: 1000 };
    let config =
        TenantConfig { old_verify_keys: vec![key("ed25519:old", "XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI")], ..base() };
    let tenants = World::new().load(1, &[config]).await.expect("tenants");
    let tenant = tenants.get("example.org").expect("the tenant");
    assert_eq!(tenant.old_keys()[0].id, "ed25519:old");
    assert_eq!(tenant.old_keys()[0].public_base64(), "XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI");
    assert_eq!(tenant.old_keys()[0].expired.as_millis(), 1000);
    for bad in [key("rsa:1", "XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI"), key("ed25519:1", "short")] {
        let error = World::new().load(1, &[TenantConfig { old_verify_keys: vec![bad], ..base() }]).await.expect_err("a bad key");
        assert!(error.to_string().contains("old_verify_keys[0]"), "{error}");
    }
}

#[tokio::test]
async fn the_host_picks_the_tenant_and_the_server_name_is_exact() {
    let configs = [TenantConfig { hosts: vec!["matrix.example.org".to_owned()], ..base() }, TenantConfig::new("example.com:8448")];
    let tenants = World::new().load(1, &configs).await.expect("tenants");
    let picked = |host: &str| tenants.by_host(host).map(|tenant| tenant.name().to_string());
    assert_eq!(picked("MATRIX.example.org:443").as_deref(), Some("example.org"));
    assert_eq!(picked("example.org").as_deref(), Some("example.org"));
    assert_eq!(picked("example.com").as_deref(), Some("example.com:8448"));
    assert_eq!(picked("other.org"), None);
    assert!(tenants.is_local("example.org") && !tenants.is_local("EXAMPLE.org") && !tenants.is_local("example.com"));
    assert!(tenants.is_local_id("@alice:example.com:8448") && !tenants.is_local_id("@alice:example.com"));
    assert_eq!(tenants.of_id("#room:example.org").map(|tenant| tenant.name().to_string()).as_deref(), Some("example.org"));
    assert_eq!(tenants.iter().len(), 2);
}

#[test]
fn tenants_cannot_share_hosts_and_there_must_be_one() {
    assert!(problem(&[]).contains("no tenant"));
    assert!(problem(&[base(), base()]).contains("another tenant has the host example.org"));
    let thief = TenantConfig { hosts: vec!["Example.ORG".to_owned()], ..TenantConfig::new("thief.org") };
    assert!(problem(&[base(), thief]).contains("tenant thief.org: hosts:"));
}

#[test]
fn unknown_options_are_refused_and_little_suffices() {
    let config: TenantConfig = serde_json::from_str(r#"{"server_name": "example.org"}"#).expect("the name suffices");
    assert_eq!(config, base());
    assert!(config.login.password && !config.registration.open && config.rate_limits.enabled);
    for text in [
        r#"{"server_name": "a", "servername": "b"}"#,
        r#"{"server_name": "a", "registration": {"opened": true}}"#,
        r#"{"server_name": "a", "rate_limits": {"message": {"per_second": 1, "burst": 1, "x": 1}}}"#,
    ] {
        assert!(serde_json::from_str::<TenantConfig>(text).is_err(), "{text}");
    }
    assert!(serde_json::from_str::<TenantConfig>("{}").is_err());
}

#[tokio::test]
async fn no_secret_is_shown() {
    let mut config = base();
    config.registration.tokens = vec![RegistrationTokenConfig { token: Some("sesame-open".to_owned()), ..Default::default() }];
    config.registration.open = true;
    let tenants = World::new().load(1, std::slice::from_ref(&config)).await.expect("tenants");
    let tenant = tenants.get("example.org").expect("the tenant");
    assert!(tenant.registration_token("sesame-open").is_some() && tenant.registration_token("sesame").is_none());
    assert_eq!(tenant.registration_flows(), [vec!["m.login.registration_token"], vec!["m.login.dummy"]]);
    assert!(!format!("{tenants:?} {tenant:?} {config:?}").contains("sesame"));
}
