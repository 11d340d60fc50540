//! Proofs that an e-mail address is somebody's: a mail with a link, and whoever opens it confirms (specification: Client-Server API,
//! `…/email/requestToken`).
//!
//! A session is for one tenant, one purpose, one address and one client secret, and its id follows from these, so a client that repeats
//! its request goes on with the session that it has. A proof for one purpose is none for another: who confirms an address for one account
//! has not agreed to a new password of theirs. Sessions are conditional rows under the hash of their id, shared by all replicas.

use std::{sync::Arc, time::Duration};

use banyan_core::{Clock, Entropy, ErrorCode, ServiceError};
use banyan_proto::users::ValidationSessionRow;
pub use banyan_proto::users::validation_session_row::Purpose;
use banyan_store::{Key, Store, key};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;

use crate::{
    conditional::{Change, ConditionalRows},
    tables::VALIDATION_SESSION,
    token::TokenHash,
};

/// Mails of one session whose links work; older ones do not.
const MAX_TOKENS: usize = 5;
/// Bytes of a link to go on with.
const MAX_NEXT_LINK: usize = 2_000;

/// What a client asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Server name of the tenant.
    pub tenant: &'a str,
    /// What the proof will be for.
    pub purpose: Purpose,
    /// Canonical.
    pub address: &'a str,
    /// The client's secret.
    pub client_secret: &'a str,
    /// A higher one than before asks for one more mail.
    pub send_attempt: u64,
    /// Where to go on afterwards.
    pub next_link: Option<&'a str>,
    /// How long links and proofs last.
    pub lifetime: Duration,
    /// Whether the mail is to hold a link. Otherwise it only tells something, and nothing can be proved by it.
    pub with_link: bool,
}

/// What is to be done about it.
#[derive(Clone, PartialEq, Eq)]
pub struct Begun {
    /// The session id that the client is told.
    pub sid: String,
    /// The token for the mail's link; empty for a mail without. `None`: this attempt's mail was sent already.
    pub token: Option<String>,
}

impl std::fmt::Debug for Begun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Begun").field("to_send", &self.token.is_some()).finish_non_exhaustive()
    }
}

/// What a link is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// What the proof is for.
    pub purpose: Purpose,
    /// Canonical.
    pub address: String,
    /// Where to go on; empty: nowhere.
    pub next_link: String,
    /// It was confirmed.
    pub confirmed: bool,
}

/// That an address is somebody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// Canonical.
    pub address: String,
    /// When it was confirmed, in microseconds.
    pub validated: i64,
}

/// Keeps sessions.
#[derive(Clone)]
pub struct ValidationSessions {
    rows: ConditionalRows,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl std::fmt::Debug for ValidationSessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ValidationSessions")
    }
}

impl ValidationSessions {
    /// Keeps sessions in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { rows: ConditionalRows::new(store, &VALIDATION_SESSION), clock, entropy }
    }

    /// Begins a session, or goes on with it. Once the mail is sent, [`ValidationSessions::sent`] notes it.
    ///
    /// # Errors
    /// `M_INVALID_PARAM` for a secret or a link that cannot be; or the store failed.
    pub async fn begin(&self, wanted: &Wanted<'_>) -> Result<Begun, ServiceError> {
        check_client_secret(wanted.client_secret)?;
        if wanted.next_link.is_some_and(|link| link.len() > MAX_NEXT_LINK) {
            return Err(ServiceError::invalid_param("next_link is too long"));
        }
        let sid = session_id(wanted);
        let token = if wanted.with_link { self.entropy.alphanumeric(32) } else { String::new() };
        let hash = hash(&token);
        let to_send = self
            .change(wanted.tenant, &sid, |row| {
                // One that was used, or is over, begins anew.
                let row = row.filter(|row| row.used_by.is_empty());
                let mut row = row.unwrap_or_else(|| fresh(wanted));
                if wanted.send_attempt <= row.send_attempt {
                    return Ok(Change::Keep(false));
                }
                row.next_link = wanted.next_link.unwrap_or_default().to_owned();
                row.expires = self.later(wanted.lifetime);
                if wanted.with_link && !row.tokens.contains(&hash) {
                    row.tokens.push(hash.clone());
                    row.tokens.drain(..row.tokens.len().saturating_sub(MAX_TOKENS));
                }
                Ok(Change::Put(row, wanted.lifetime, true))
            })
            .await?;
        Ok(Begun { sid, token: to_send.then_some(token) })
    }

    /// The mail of an attempt was sent: asking for it again sends no other.
    ///
    /// # Errors
    /// The store failed: the next try sends the mail again.
    pub async fn sent(&self, tenant: &str, sid: &str, send_attempt: u64) -> Result<(), ServiceError> {
        self.change(tenant, sid, |row| {
            let Some(row) = row else { return Ok(Change::Keep(())) };
            let ttl = self.left(&row);
            let send_attempt = row.send_attempt.max(send_attempt);
            Ok(Change::Put(ValidationSessionRow { send_attempt, ..row }, ttl, ()))
        })
        .await
    }

    /// What the link with this token is about; `None` if it is over or never was one.
    ///
    /// # Errors
    /// The store failed.
    pub async fn find(&self, tenant: &str, sid: &str, token: &str) -> Result<Option<Confirmation>, ServiceError> {
        let row = self.read(tenant, sid).await?;
        Ok(row.filter(|row| row.tokens.contains(&hash(token))).map(confirmation))
    }

    /// Whoever got the mail confirms. Doing it again changes nothing.
    ///
    /// # Errors
    /// The store failed.
    pub async fn confirm(
        &self,
        tenant: &str,
        sid: &str,
        token: &str,
        lifetime: Duration,
    ) -> Result<Option<Confirmation>, ServiceError> {
        let token = hash(token);
        self.change(tenant, sid, |row| {
            let Some(mut row) = row.filter(|row| row.tokens.contains(&token)) else { return Ok(Change::Keep(None)) };
            if row.validated != 0 {
                return Ok(Change::Keep(Some(confirmation(row))));
            }
            row.validated = self.clock.now().0;
            // Whoever confirmed in the last moment has time to go on.
            row.expires = self.later(lifetime);
            let confirmed = confirmation(row.clone());
            Ok(Change::Put(row, lifetime, Some(confirmed)))
        })
        .await
    }

    /// What a session proves to the session of user-interactive authentication `by`.
    ///
    /// # Errors
    /// `M_THREEPID_AUTH_FAILED` if it proves nothing, or did so to another; or the store failed.
    pub async fn proved(
        &self,
        tenant: &str,
        purpose: Purpose,
        sid: &str,
        client_secret: &str,
        by: &str,
    ) -> Result<Proved, ServiceError> {
        let row = self.read(tenant, sid).await?.filter(|row| row.client_secret == hash(client_secret));
        proof(row.as_ref(), purpose, &hash(by))
    }

    /// Uses a proof up, for `by` alone; repeated by the same it is answered again.
    ///
    /// # Errors
    /// `M_THREEPID_AUTH_FAILED` if it proves nothing, or was used up by another; or the store failed.
    pub async fn take(&self, tenant: &str, purpose: Purpose, sid: &str, by: &str) -> Result<Proved, ServiceError> {
        let by = hash(by);
        self.change(tenant, sid, |row| {
            let proved = proof(row.as_ref(), purpose, &by)?;
            let Some(row) = row else { return Ok(Change::Keep(proved)) };
            let ttl = self.left(&row);
            Ok(Change::Put(ValidationSessionRow { used_by: by.clone(), ..row }, ttl, proved))
        })
        .await
    }

    /// What it was taken for did not happen: it can be used again.
    ///
    /// # Errors
    /// The store failed: it stays used up.
    pub async fn give_back(&self, tenant: &str, sid: &str, by: &str) -> Result<(), ServiceError> {
        let by = hash(by);
        self.change(tenant, sid, |row| {
            let Some(row) = row.filter(|row| row.used_by == by) else { return Ok(Change::Keep(())) };
            let ttl = self.left(&row);
            Ok(Change::Put(ValidationSessionRow { used_by: Bytes::new(), ..row }, ttl, ()))
        })
        .await
    }

    async fn read(&self, tenant: &str, sid: &str) -> Result<Option<ValidationSessionRow>, ServiceError> {
        let stored = self.rows.read::<ValidationSessionRow>(&partition(sid)).await?;
        Ok(stored.map(|stored| stored.row).filter(|row| self.holds(row, tenant)))
    }

    /// Changes a session; one that is over, or another tenant's, is none.
    async fn change<T>(
        &self,
        tenant: &str,
        sid: &str,
        mut change: impl FnMut(Option<ValidationSessionRow>) -> Result<Change<ValidationSessionRow, T>, ServiceError>,
    ) -> Result<T, ServiceError> {
        let held = |row: Option<ValidationSessionRow>| change(row.filter(|row| self.holds(row, tenant)));
        self.rows.update(&partition(sid), held).await
    }

    fn holds(&self, row: &ValidationSessionRow, tenant: &str) -> bool {
        row.tenant == tenant && row.expires > self.clock.now().0
    }

    fn later(&self, lifetime: Duration) -> i64 {
        self.clock.now().0.saturating_add(i64::try_from(lifetime.as_micros()).unwrap_or(i64::MAX / 2))
    }

    fn left(&self, row: &ValidationSessionRow) -> Duration {
        Duration::from_micros(u64::try_from(row.expires.saturating_sub(self.clock.now().0)).unwrap_or(0))
    }
}

/// Refuses a client secret that the specification does not allow.
///
/// # Errors
/// `M_INVALID_PARAM`.
pub fn check_client_secret(secret: &str) -> Result<(), ServiceError> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'=' | b'_' | b'-');
    if secret.is_empty() || secret.len() > 255 || !secret.bytes().all(fits) {
        return Err(ServiceError::invalid_param("client_secret has 1 to 255 characters of 0-9 a-z A-Z . = _ -"));
    }
    Ok(())
}

fn fresh(wanted: &Wanted<'_>) -> ValidationSessionRow {
    ValidationSessionRow {
        tenant: wanted.tenant.to_owned(),
        purpose: wanted.purpose.into(),
        address: wanted.address.to_owned(),
        client_secret: hash(wanted.client_secret),
        ..ValidationSessionRow::default()
    }
}

fn confirmation(row: ValidationSessionRow) -> Confirmation {
    Confirmation { purpose: row.purpose(), address: row.address, next_link: row.next_link, confirmed: row.validated != 0 }
}

fn proof(row: Option<&ValidationSessionRow>, purpose: Purpose, by: &Bytes) -> Result<Proved, ServiceError> {
    let refused = |message| Err(ServiceError::matrix(ErrorCode::InvalidArgument, "M_THREEPID_AUTH_FAILED", message));
    let Some(row) = row.filter(|row| row.purpose() == purpose) else {
        return refused("There is no such validation, or it is over");
    };
    if row.validated == 0 {
        return refused("The address was not confirmed yet: open the link in the mail first");
    }
    if !row.used_by.is_empty() && row.used_by != by {
        return refused("This validation was used already");
    }
    Ok(Proved { address: row.address.clone(), validated: row.validated })
}

/// Follows from the request, so that no second table need be asked; nobody guesses it who does not know the client's secret.
fn session_id(wanted: &Wanted<'_>) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("banyan 2026 session that validates an address");
    for part in [wanted.tenant, wanted.purpose.as_str_name(), wanted.address, wanted.client_secret] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(&hasher.finalize().as_bytes()[..24])
}

fn partition(sid: &str) -> Key {
    key![hash(sid)]
}

fn hash(text: &str) -> Bytes {
    Bytes::copy_from_slice(TokenHash::of(text).as_bytes())
}

#[cfg(test)]
mod tests;
