//! One tenant.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    path::Path,
};

use banyan_core::TimestampMicros;
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use ruma::{OwnedServerName, ServerName};
use zeroize::Zeroizing;

use crate::{
    OldVerifyKey, ServerKey, TenantConfig, TenantError,
    config::{EmailConfig, OldVerifyKeyConfig, ROOM_VERSIONS, RegistrationEmail, RegistrationTokenConfig, SmtpTls},
    key_file,
};

/// What a registration token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistrationToken {
    /// How many accounts it may make; `None`: any number.
    pub uses_allowed: Option<u64>,
    /// When it ends; `None`: never.
    pub expires: Option<TimestampMicros>,
}

/// A server name with its signing keys and policy.
pub struct Tenant {
    name: OwnedServerName,
    config: TenantConfig,
    key: ServerKey,
    old_keys: Vec<OldVerifyKey>,
    secrets: Secrets,
}

/// What the secret files of a tenant hold.
pub(crate) struct Secrets {
    pub(crate) signing_key: Option<ServerKey>,
    registration_tokens: HashMap<String, RegistrationToken>,
    registration_shared_secret: Option<Zeroizing<String>>,
    smtp_password: Option<Zeroizing<String>>,
    sso: HashMap<String, Zeroizing<String>>,
    recaptcha_secret: Option<Zeroizing<String>>,
}

impl Tenant {
    /// A tenant with the given key, without a store: for tests and tools. A `signing_key_file` in `config` comes first.
    ///
    /// # Errors
    /// The configuration is wrong or a secret file cannot be read.
    pub fn new(config: TenantConfig, key: ServerKey) -> Result<Self, TenantError> {
        let (name, mut secrets) = check(&config)?;
        let key = secrets.signing_key.take().unwrap_or(key);
        Self::assemble(name, config, key, Vec::new(), secrets)
    }

    pub(crate) fn assemble(
        name: OwnedServerName,
        config: TenantConfig,
        key: ServerKey,
        stored: Vec<OldVerifyKey>,
        secrets: Secrets,
    ) -> Result<Self, TenantError> {
        let mut old_keys = Vec::new();
        for (n, old) in config.old_verify_keys.iter().enumerate() {
            old_keys.push(old_key(old).map_err(|e| TenantError::config(name.as_str(), format!("old_verify_keys[{n}]"), e))?);
        }
        for old in stored {
            if !old_keys.iter().any(|known| known.id == old.id) {
                old_keys.push(old);
            }
        }
        let current = key.id();
        old_keys.retain(|old| old.id != current);
        Ok(Self { name, config, key, old_keys, secrets })
    }

    /// The server name.
    #[must_use]
    pub fn name(&self) -> &ServerName {
        &self.name
    }

    /// What it allows.
    #[must_use]
    pub const fn config(&self) -> &TenantConfig {
        &self.config
    }

    /// The address that the endpoints and pages of the OAuth 2.0 API begin with, without a slash at its end; `None` where the API is not
    /// served.
    #[must_use]
    pub fn oauth_base(&self) -> Option<&str> {
        self.config.base_url.as_deref().filter(|_| self.config.oauth.enabled).map(|base| base.trim_end_matches('/'))
    }

    /// The key that signs.
    #[must_use]
    pub const fn key(&self) -> &ServerKey {
        &self.key
    }

    /// The keys that signed once and no longer do, for `old_verify_keys` of `/_matrix/key/v2/server`.
    #[must_use]
    pub fn old_keys(&self) -> &[OldVerifyKey] {
        &self.old_keys
    }

    /// What a registration token allows, if it is one of this tenant's. Whether it is used up or over is not judged here.
    #[must_use]
    pub fn registration_token(&self, token: &str) -> Option<RegistrationToken> {
        self.secrets.registration_tokens.get(token).copied()
    }

    /// The secret of `/_synapse/admin/v1/register`; `None` where that endpoint does not exist.
    #[must_use]
    pub fn registration_shared_secret(&self) -> Option<&str> {
        self.secrets.registration_shared_secret.as_ref().map(|secret| secret.as_str())
    }

    /// The password for the mail server.
    #[must_use]
    pub fn smtp_password(&self) -> Option<&str> {
        self.secrets.smtp_password.as_ref().map(|secret| secret.as_str())
    }

    /// What an upstream provider wants to be shown beside the client id; `None` where there is nothing.
    #[must_use]
    pub fn sso_secret(&self, provider: &str) -> Option<&str> {
        self.secrets.sso.get(provider).map(|secret| secret.as_str())
    }

    /// The secret key of the captcha.
    #[must_use]
    pub fn recaptcha_secret(&self) -> Option<&str> {
        self.secrets.recaptcha_secret.as_ref().map(|secret| secret.as_str())
    }

    /// The flows of user-interactive authentication that make an account, each a list of stages. Empty: registration is disabled.
    #[must_use]
    pub fn registration_flows(&self) -> Vec<Vec<&'static str>> {
        const EMAIL: &str = "m.login.email.identity";
        const DUMMY: &str = "m.login.dummy";
        let registration = &self.config.registration;
        let mut begins: Vec<Option<&'static str>> = Vec::new();
        if !self.secrets.registration_tokens.is_empty() {
            begins.push(Some("m.login.registration_token"));
        }
        if registration.open {
            begins.push(None);
        }
        // A flow must not be the beginning of another, or whoever wants the longer one has passed the shorter one on the way.
        let ends: &[Option<&'static str>] = match (&self.config.email, registration.email) {
            (None, _) | (_, RegistrationEmail::Off) => &[None],
            (Some(_), RegistrationEmail::Optional) => &[Some(DUMMY), Some(EMAIL)],
            (Some(_), RegistrationEmail::Required) => &[Some(EMAIL)],
        };
        let captcha = registration.recaptcha.is_some().then_some("m.login.recaptcha");
        let terms = (!registration.terms.is_empty()).then_some("m.login.terms");
        let mut flows = Vec::new();
        for begin in begins {
            for end in ends {
                let flow: Vec<_> = [begin, captcha, terms, *end].into_iter().flatten().collect();
                flows.push(if flow.is_empty() { vec![DUMMY] } else { flow });
            }
        }
        flows
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenant").field("name", &self.name).field("key", &self.key).finish_non_exhaustive()
    }
}

/// Checks a configuration and reads the secret files it names.
pub(crate) fn check(config: &TenantConfig) -> Result<(OwnedServerName, Secrets), TenantError> {
    let tenant = config.server_name.as_str();
    let name = OwnedServerName::try_from(tenant).map_err(|_| {
        TenantError::config(tenant, "server_name", "not a server name (a DNS name or an address, with or without a port)")
    })?;
    if tenant.len() > 230 {
        return Err(TenantError::config(tenant, "server_name", "longer than 230 bytes: user ids would have no room"));
    }
    check_urls(config)?;
    if !ROOM_VERSIONS.contains(&config.default_room_version.as_str()) {
        let problem = format!("room version {:?} is not one of {}", config.default_room_version, ROOM_VERSIONS.join(", "));
        return Err(TenantError::config(tenant, "default_room_version", problem));
    }
    check_terms(config)?;
    check_sso(config)?;
    if config.registration.recaptcha.as_ref().is_some_and(|captcha| !captcha.service_url.starts_with("http")) {
        return Err(TenantError::config(
            tenant,
            "registration.recaptcha.service_url",
            "must begin with https:// (or http:// in tests)",
        ));
    }
    if !config.login.legacy && (config.base_url.is_none() || !config.oauth.enabled) {
        return Err(TenantError::config(tenant, "login.legacy", "without it nobody can sign in: the OAuth 2.0 API needs base_url"));
    }
    check_email(config)?;
    if config.login.access_token_seconds < 60 {
        return Err(TenantError::config(tenant, "login.access_token_seconds", "must be at least 60: clients refresh when it ends"));
    }
    if config.delayed_events.max_scheduled > 1_000 {
        return Err(TenantError::config(tenant, "delayed_events.max_scheduled", "must be at most 1000"));
    }
    if config.delayed_events.max_delay_ms > 366 * 24 * 60 * 60 * 1000 {
        return Err(TenantError::config(tenant, "delayed_events.max_delay_ms", "must be at most a year"));
    }
    for (option, limit) in config.rate_limits.all() {
        if !(limit.per_second.is_finite() && limit.per_second > 0.0 && limit.burst > 0) {
            let problem = "per_second must be above 0 and burst at least 1 (rate_limits.enabled = false switches limits off)";
            return Err(TenantError::config(tenant, format!("rate_limits.{option}"), problem));
        }
    }
    Ok((name, read_secrets(config)?))
}

fn check_urls(config: &TenantConfig) -> Result<(), TenantError> {
    let tenant = config.server_name.as_str();
    if let Some(url) = &config.base_url
        && !(url.starts_with("https://") || url.starts_with("http://"))
    {
        return Err(TenantError::config(tenant, "base_url", "must begin with https:// (or http:// in tests)"));
    }
    if let Some(server) = &config.federation_server
        && ServerName::parse(server).is_err()
    {
        return Err(TenantError::config(tenant, "federation_server", "must be a server name, for example matrix.example.org:443"));
    }
    for (n, server) in config.identity_servers.iter().enumerate() {
        let address = server.address();
        if server.name.is_empty() || !(address.starts_with("https://") || address.starts_with("http://")) {
            let problem = "has a name, and a url that begins with https:// (or http:// in tests)";
            return Err(TenantError::config(tenant, format!("identity_servers[{n}]"), problem));
        }
    }
    if let Some(support) = &config.support {
        if support.contacts.is_empty() && support.support_page.is_none() {
            return Err(TenantError::config(tenant, "support", "name at least one contact or the support_page"));
        }
        for (n, contact) in support.contacts.iter().enumerate() {
            if contact.matrix_id.is_none() && contact.email_address.is_none() {
                let problem = "name the matrix_id or the email_address";
                return Err(TenantError::config(tenant, format!("support.contacts[{n}]"), problem));
            }
        }
    }
    Ok(())
}

fn check_terms(config: &TenantConfig) -> Result<(), TenantError> {
    let mut ids = HashSet::new();
    for (n, policy) in config.registration.terms.iter().enumerate() {
        let wrong = |problem| Err(TenantError::config(&config.server_name, format!("registration.terms[{n}]"), problem));
        if policy.id.is_empty() || policy.version.is_empty() || !ids.insert(&policy.id) {
            return wrong("a policy has an id of its own and a version");
        }
        if policy.documents.is_empty() {
            return wrong("name at least one document");
        }
        if policy.documents.iter().any(|document| !["https://", "http://"].iter().any(|scheme| document.url.starts_with(scheme))) {
            return wrong("a document's url must begin with https:// (or http:// in tests)");
        }
    }
    Ok(())
}

fn check_email(config: &TenantConfig) -> Result<(), TenantError> {
    let wrong = |option: &str, problem: &'static str| Err(TenantError::config(&config.server_name, option, problem));
    let Some(email) = &config.email else {
        if config.registration.email == RegistrationEmail::Required {
            return wrong("registration.email", "cannot be required without email: nobody could register");
        }
        return Ok(());
    };
    if config.base_url.is_none() {
        return wrong("base_url", "must be set where email is: it is what the links in mails begin with");
    }
    if !(60..=86_400).contains(&email.link_seconds) {
        return wrong("email.link_seconds", "must be between 60 and 86400");
    }
    if !(100..=60_000).contains(&email.timeout_ms) {
        return wrong("email.timeout_ms", "must be between 100 and 60000: somebody waits");
    }
    if email.username.is_some() != email.password_file.is_some() {
        return wrong("email.username", "is set together with password_file");
    }
    if email.username.is_some() && email.tls == SmtpTls::None {
        return wrong("email.tls", "must not be none where somebody logs in: the password could be read on the way");
    }
    Ok(())
}

fn check_sso(config: &TenantConfig) -> Result<(), TenantError> {
    let mut ids = HashSet::new();
    for (n, provider) in config.sso.iter().enumerate() {
        let wrong = |problem| Err(TenantError::config(&config.server_name, format!("sso[{n}]"), problem));
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'~' | b'-');
        if provider.id.is_empty() || provider.id.len() > 255 || !provider.id.bytes().all(fits) || !ids.insert(&provider.id) {
            return wrong("a provider has an id of its own, of the characters A-Z a-z 0-9 . _ ~ -");
        }
        if !["https://", "http://"].iter().any(|scheme| provider.issuer.starts_with(scheme)) {
            return wrong("the issuer must begin with https:// (or http:// in tests)");
        }
        if config.base_url.is_none() || !config.oauth.enabled {
            return wrong("signing in through a provider needs base_url and oauth.enabled");
        }
    }
    Ok(())
}

/// A secret of the mail server.
fn read_smtp_password(tenant: &str, email: Option<&EmailConfig>) -> Result<Option<Zeroizing<String>>, TenantError> {
    let path = email.and_then(|email| email.password_file.as_ref());
    path.map(|path| read_word(tenant, "email.password_file", path)).transpose()
}

fn read_secrets(config: &TenantConfig) -> Result<Secrets, TenantError> {
    let tenant = config.server_name.as_str();
    let signing_key = match &config.signing_key_file {
        None => None,
        Some(path) => {
            let content = read_secret(tenant, "signing_key_file", path)?;
            Some(key_file::parse(&content).map_err(|problem| bad_secret(tenant, "signing_key_file", path, problem))?)
        }
    };
    let registration_shared_secret = match &config.registration.shared_secret_file {
        None => None,
        Some(path) => Some(read_word(tenant, "registration.shared_secret_file", path)?),
    };
    let mut registration_tokens = HashMap::new();
    for (n, token) in config.registration.tokens.iter().enumerate() {
        let option = format!("registration.tokens[{n}]");
        let (text, allows) = read_token(tenant, &option, token)?;
        if registration_tokens.insert(text, allows).is_some() {
            return Err(TenantError::config(tenant, option, "the same token is there twice"));
        }
    }
    let recaptcha = config.registration.recaptcha.as_ref();
    let recaptcha_secret = recaptcha
        .map(|captcha| read_word(tenant, "registration.recaptcha.private_key_file", &captcha.private_key_file))
        .transpose()?;
    let smtp_password = read_smtp_password(tenant, config.email.as_ref())?;
    let mut sso = HashMap::new();
    for (n, provider) in config.sso.iter().enumerate() {
        if let Some(path) = &provider.client_secret_file {
            sso.insert(provider.id.clone(), read_word(tenant, &format!("sso[{n}].client_secret_file"), path)?);
        }
    }
    Ok(Secrets { signing_key, registration_tokens, registration_shared_secret, smtp_password, sso, recaptcha_secret })
}

fn read_token(tenant: &str, option: &str, config: &RegistrationTokenConfig) -> Result<(String, RegistrationToken), TenantError> {
    let text = match (&config.token, &config.token_file) {
        (Some(token), None) => token.clone(),
        (None, Some(path)) => read_word(tenant, &format!("{option}.token_file"), path)?.to_string(),
        _ => return Err(TenantError::config(tenant, option, "set exactly one of token and token_file")),
    };
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'~' | b'-');
    if text.is_empty() || text.len() > 64 || !text.bytes().all(fits) {
        return Err(TenantError::config(tenant, option, "a token has 1 to 64 characters of A-Z a-z 0-9 . _ ~ -"));
    }
    let expires = config.expires.map(|millis| TimestampMicros(millis.saturating_mul(1000)));
    Ok((text, RegistrationToken { uses_allowed: config.uses_allowed, expires }))
}

fn read_secret(tenant: &str, option: &str, path: &Path) -> Result<Zeroizing<String>, TenantError> {
    std::fs::read_to_string(path).map(Zeroizing::new).map_err(|source| TenantError::SecretFile {
        tenant: tenant.to_owned(),
        option: option.to_owned(),
        path: path.to_owned(),
        source,
    })
}

/// A secret on one line, without the white space around it.
fn read_word(tenant: &str, option: &str, path: &Path) -> Result<Zeroizing<String>, TenantError> {
    let content = read_secret(tenant, option, path)?;
    let word = content.trim();
    if word.is_empty() {
        return Err(bad_secret(tenant, option, path, "the file is empty"));
    }
    Ok(Zeroizing::new(word.to_owned()))
}

fn bad_secret(tenant: &str, option: &str, path: &Path, problem: impl Into<String>) -> TenantError {
    TenantError::SecretContent {
        tenant: tenant.to_owned(),
        option: option.to_owned(),
        path: path.to_owned(),
        problem: problem.into(),
    }
}

fn old_key(config: &OldVerifyKeyConfig) -> Result<OldVerifyKey, String> {
    if config.key_id.strip_prefix("ed25519:").is_none_or(str::is_empty) {
        return Err("key_id must look like ed25519:a_1".to_owned());
    }
    let public = STANDARD_NO_PAD
        .decode(config.public_key.trim_end_matches('='))
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| "public_key must be 32 bytes in base64".to_owned())?;
    Ok(OldVerifyKey { id: config.key_id.clone(), public, expired: TimestampMicros(config.expired_ts.saturating_mul(1000)) })
}
