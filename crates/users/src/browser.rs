//! People who are signed in on the pages of a tenant: conditional rows under the hash of a cookie, shared by all replicas.

use std::{sync::Arc, time::Duration};

use banyan_core::{Clock, Entropy, ServiceError};
use banyan_proto::users::{Account, BrowserSessionRow};
use banyan_store::{Key, Store, key};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use subtle::ConstantTimeEq as _;

use crate::{TokenHash, conditional::ConditionalRows, tables::BROWSER_SESSION};

/// Keeps them.
#[derive(Clone)]
pub struct BrowserSessions {
    rows: ConditionalRows,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct BrowserSession {
    /// Who.
    pub user_id: String,
    /// Since when, microseconds.
    pub since: i64,
    credential: Bytes,
}

impl std::fmt::Debug for BrowserSessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BrowserSessions")
    }
}

impl BrowserSessions {
    /// How long somebody stays signed in.
    pub const LIFETIME: Duration = Duration::from_secs(24 * 3600);

    /// Keeps sessions in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { rows: ConditionalRows::new(store, &BROWSER_SESSION), clock, entropy }
    }

    /// A cookie for somebody who has yet to sign in: forms are bound to it.
    #[must_use]
    pub fn cookie(&self) -> String {
        self.entropy.alphanumeric(43)
    }

    /// Signs somebody in: a new cookie, so that one which was known before is worth nothing.
    ///
    /// # Errors
    /// The store failed.
    pub async fn begin(&self, tenant: &str, user_id: &str, account: &Account) -> Result<String, ServiceError> {
        let (cookie, since) = (self.cookie(), self.clock.now().0);
        let expires = since.saturating_add(i64::try_from(Self::LIFETIME.as_micros()).unwrap_or(i64::MAX / 2));
        let row = BrowserSessionRow {
            tenant: tenant.to_owned(),
            user_id: user_id.to_owned(),
            since,
            expires,
            credential: credential(account),
        };
        if self.rows.insert(&partition(&cookie), &row, Some(Self::LIFETIME)).await? {
            return Ok(cookie);
        }
        Err(ServiceError::internal("a random cookie was there already"))
    }

    /// Who is signed in with a cookie; whether their account still allows it is judged by [`BrowserSession::fits`].
    ///
    /// # Errors
    /// The store failed.
    pub async fn find(&self, tenant: &str, cookie: &str) -> Result<Option<BrowserSession>, ServiceError> {
        let Some(stored) = self.rows.read::<BrowserSessionRow>(&partition(cookie)).await? else { return Ok(None) };
        let row = stored.row;
        let holds = row.tenant == tenant && row.expires > self.clock.now().0;
        Ok(holds.then_some(BrowserSession { user_id: row.user_id, since: row.since, credential: row.credential }))
    }

    /// Signs out.
    ///
    /// # Errors
    /// The store failed.
    pub async fn end(&self, cookie: &str) -> Result<(), ServiceError> {
        let partition = partition(cookie);
        let Some(stored) = self.rows.read::<BrowserSessionRow>(&partition).await? else { return Ok(()) };
        self.rows.remove(&partition, &stored).await
    }
}

impl BrowserSession {
    /// Whether the account is there, usable, and has the password that it had when the session began.
    #[must_use]
    pub fn fits(&self, account: &Account) -> bool {
        !account.deactivated && !account.locked && credential(account) == self.credential
    }
}

/// What a form on a page must bring along, so that no other site can send it. Follows from the cookie and does not tell it.
#[must_use]
pub fn form_token(cookie: &str) -> String {
    URL_SAFE_NO_PAD.encode(blake3::derive_key("banyan 2026 forms of a browser session", cookie.as_bytes()))
}

/// Whether a form brought the token of a cookie along; takes the same time wherever they differ.
#[must_use]
pub fn form_token_fits(cookie: &str, token: &str) -> bool {
    form_token(cookie).as_bytes().ct_eq(token.as_bytes()).into()
}

fn credential(account: &Account) -> Bytes {
    Bytes::copy_from_slice(blake3::hash(account.password_hash.as_bytes()).as_bytes())
}

fn partition(cookie: &str) -> Key {
    key![TokenHash::of(cookie).as_bytes().as_slice()]
}
