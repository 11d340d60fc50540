//! Authorisation codes (specification: "Authorisation code grant"; RFC 6749, section 4.1).

use std::{sync::Arc, time::Duration};

use banyan_core::{Clock, Entropy, RequestId, ServiceError};
use banyan_proto::users::{OauthCodeRow, OauthGrant};
use banyan_store::{Key, Store, key};
use bytes::Bytes;

use crate::{
    TokenHash,
    conditional::{ConditionalRows, Stored, left},
    tables::OAUTH_CODE,
};

/// What a code begins with.
const PREFIX: &str = "bync_";

/// Keeps codes.
#[derive(Clone)]
pub struct OauthCodes {
    rows: ConditionalRows,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// What a code is to stand for.
#[derive(Clone, Debug)]
pub struct NewCode {
    /// What was allowed.
    pub grant: OauthGrant,
    /// Where it is sent.
    pub redirect_uri: String,
    /// S256 of the verifier, in unpadded base64url.
    pub code_challenge: String,
}

/// A code that somebody shows.
#[derive(Debug)]
pub struct Code {
    /// What it allows.
    pub grant: OauthGrant,
    /// Where it was sent.
    pub redirect_uri: String,
    /// S256 of the verifier, in unpadded base64url.
    pub code_challenge: String,
    /// The session that it was exchanged for, by its access token's hash (32 bytes); empty before that.
    pub token_hash: Bytes,
    partition: Key,
    stored: Stored<OauthCodeRow>,
}

impl std::fmt::Debug for OauthCodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OauthCodes")
    }
}

impl OauthCodes {
    /// How long a code lasts.
    pub const LIFETIME: Duration = Duration::from_secs(5 * 60);

    /// Keeps codes in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { rows: ConditionalRows::new(store, &OAUTH_CODE), clock, entropy }
    }

    /// A new code.
    ///
    /// # Errors
    /// The store failed.
    pub async fn issue(&self, new: NewCode) -> Result<String, ServiceError> {
        let code = format!("{PREFIX}{}", self.entropy.alphanumeric(40));
        let lifetime = i64::try_from(Self::LIFETIME.as_micros()).unwrap_or(i64::MAX / 2);
        let row = OauthCodeRow {
            grant: Some(new.grant),
            redirect_uri: new.redirect_uri,
            code_challenge: new.code_challenge,
            expires: self.clock.now().0.saturating_add(lifetime),
            request_id: Bytes::copy_from_slice(&RequestId::generate(&*self.clock, &*self.entropy).to_bytes()),
            ..OauthCodeRow::default()
        };
        if self.rows.insert(&partition(&code), &row, Some(Self::LIFETIME)).await? {
            return Ok(code);
        }
        Err(ServiceError::internal("a random code was there already"))
    }

    /// What a code stands for; `None` if it is unknown, over, or another tenant's.
    ///
    /// # Errors
    /// The store failed.
    pub async fn find(&self, tenant: &str, code: &str) -> Result<Option<Code>, ServiceError> {
        let partition = partition(code);
        let Some(stored) = self.rows.read::<OauthCodeRow>(&partition).await? else { return Ok(None) };
        let row = stored.row.clone();
        let grant = row.grant.filter(|grant| grant.tenant == tenant && row.expires > self.clock.now().0);
        let code = |grant| Code {
            grant,
            redirect_uri: row.redirect_uri,
            code_challenge: row.code_challenge,
            token_hash: row.token_hash,
            partition,
            stored,
        };
        Ok(grant.map(code))
    }

    /// Uses a code up: of many who show it, one is told to go on, and under which request id. Whoever then fails, or does not learn
    /// the outcome, calls [`OauthCodes::restore`].
    ///
    /// # Errors
    /// The store failed: the code may be used up.
    pub async fn use_up(&self, code: &mut Code) -> Result<Option<RequestId>, ServiceError> {
        if code.is_used() {
            return Ok(None);
        }
        let row = OauthCodeRow { used_by: self.entropy.alphanumeric(16).into(), ..code.stored.row.clone() };
        let request_id = RequestId::from_slice(&row.request_id);
        Ok(if self.write(code, row).await? { request_id } else { None })
    }

    /// Makes a code usable again, because no session came of it.
    ///
    /// # Errors
    /// The store failed.
    pub async fn restore(&self, code: &mut Code) -> Result<(), ServiceError> {
        let row = OauthCodeRow { used_by: Bytes::new(), ..code.stored.row.clone() };
        self.write(code, row).await.map(|_| ())
    }

    /// Notes the session that a code was exchanged for, so that it ends if the code is shown again.
    ///
    /// # Errors
    /// The store failed.
    pub async fn exchanged(&self, code: &mut Code, token: &TokenHash) -> Result<(), ServiceError> {
        let row = OauthCodeRow { token_hash: Bytes::copy_from_slice(token.as_bytes()), ..code.stored.row.clone() };
        self.write(code, row).await.map(|_| ())
    }

    async fn write(&self, code: &mut Code, row: OauthCodeRow) -> Result<bool, ServiceError> {
        let ttl = left(row.expires, self.clock.now().0);
        if !self.rows.replace(&code.partition, &code.stored, &row, ttl).await? {
            return Ok(false);
        }
        code.stored.set(row);
        Ok(true)
    }
}

impl Code {
    /// Whether it was exchanged already, or is just now.
    #[must_use]
    pub fn is_used(&self) -> bool {
        !self.stored.row.used_by.is_empty()
    }
}

fn partition(code: &str) -> Key {
    key![TokenHash::of(code).as_bytes().as_slice()]
}
