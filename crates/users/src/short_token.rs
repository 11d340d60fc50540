//! Tokens that live for minutes and say who somebody is: for one login (specification: "Token-based"), or to a third party
//! ("OpenID"). Conditional rows under the token's hash, shared by all replicas.

use std::{sync::Arc, time::Duration};

use banyan_core::{Clock, Entropy, ServiceError};
use banyan_proto::users::ShortTokenRow;
use banyan_store::{Cas, Store, StoreError, Table, key};
use bytes::Bytes;
use prost::Message;

use crate::{
    error::store_error,
    tables::{LOGIN_TOKEN, OPENID_TOKEN},
    token::TokenHash,
};

/// How often a write of unknown outcome is repeated.
const ATTEMPTS: usize = 4;

/// Keeps tokens of one purpose.
#[derive(Clone)]
pub struct ShortTokens {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    table: &'static Table,
    prefix: &'static str,
    lifetime: Duration,
}

impl std::fmt::Debug for ShortTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShortTokens").field("table", &self.table.name).finish_non_exhaustive()
    }
}

impl ShortTokens {
    /// Tokens that allow one login within two minutes.
    #[must_use]
    pub fn for_login(store: Arc<dyn Store>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { store, clock, entropy, table: &LOGIN_TOKEN, prefix: "bynl_", lifetime: Duration::from_secs(120) }
    }

    /// Tokens that tell others for an hour who somebody is.
    #[must_use]
    pub fn for_openid(store: Arc<dyn Store>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { store, clock, entropy, table: &OPENID_TOKEN, prefix: "byno_", lifetime: Duration::from_secs(3600) }
    }

    /// How long a token lasts.
    #[must_use]
    pub const fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// A new token of a user.
    ///
    /// # Errors
    /// The store failed.
    pub async fn issue(&self, tenant: &str, user_id: &str) -> Result<String, ServiceError> {
        let token = format!("{}{}", self.prefix, self.entropy.alphanumeric(40));
        let expires = self.clock.now().0 + i64::try_from(self.lifetime.as_micros()).unwrap_or(i64::MAX / 2);
        let row = ShortTokenRow { tenant: tenant.to_owned(), user_id: user_id.to_owned(), expires };
        let row = Bytes::from(row.encode_to_vec());
        let mut lost = None;
        for _ in 0..ATTEMPTS {
            match self.store.insert(self.table, &partition(&token), &key![], row.clone(), Some(self.lifetime)).await {
                Ok(Cas::Applied) => return Ok(token),
                // After an unknown outcome the row is our own.
                Ok(Cas::Refused(Some(there))) if lost.is_some() && there == row => return Ok(token),
                Ok(Cas::Refused(_)) => return Err(ServiceError::internal("a random token was there already")),
                Err(error @ StoreError::Unknown(_)) => lost = Some(error),
                Err(error) => return Err(store_error(&error)),
            }
        }
        Err(store_error(&lost.unwrap_or_else(|| StoreError::Unavailable("a token could not be written".to_owned()))))
    }

    /// Whose token it is; `None` if it is unknown, over, or another tenant's.
    ///
    /// # Errors
    /// The store failed.
    pub async fn find(&self, tenant: &str, token: &str) -> Result<Option<String>, ServiceError> {
        Ok(self.read(tenant, token).await?.map(|(row, _)| row.user_id))
    }

    /// Uses a token up: of many who show it at once, one is told whose it is. After an unknown outcome nobody is.
    ///
    /// # Errors
    /// The store failed.
    pub async fn take(&self, tenant: &str, token: &str) -> Result<Option<String>, ServiceError> {
        let Some((row, stored)) = self.read(tenant, token).await? else { return Ok(None) };
        match self.store.replace(self.table, &partition(token), &key![], stored, None, None).await {
            Ok(Cas::Applied) => Ok(Some(row.user_id)),
            Ok(Cas::Refused(_)) => Ok(None),
            Err(error) => Err(store_error(&error)),
        }
    }

    async fn read(&self, tenant: &str, token: &str) -> Result<Option<(ShortTokenRow, Bytes)>, ServiceError> {
        let stored = self.store.get_serial(self.table, &partition(token), &key![]).await.map_err(|e| store_error(&e))?;
        let Some(stored) = stored else { return Ok(None) };
        let row = ShortTokenRow::decode(stored.clone());
        let row = row.map_err(|e| ServiceError::internal(format!("table {}: a row is corrupt: {e}", self.table.name)))?;
        let holds = row.tenant == tenant && row.expires > self.clock.now().0;
        Ok(holds.then_some((row, stored)))
    }
}

fn partition(token: &str) -> banyan_store::Key {
    key![TokenHash::of(token).as_bytes().as_slice()]
}
