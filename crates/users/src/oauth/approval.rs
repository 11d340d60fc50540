//! What somebody approved on the account pages, for an app to do soon (specification: "OAuth authentication").

use std::{sync::Arc, time::Duration};

use banyan_core::{Clock, ServiceError};
use banyan_proto::users::OauthApprovalRow;
use banyan_store::{Key, Store, key};
use bytes::Bytes;

use crate::{TokenHash, conditional::ConditionalRows, tables::OAUTH_APPROVAL};

/// Keeps approvals of replacing the cross-signing keys, one for each user.
#[derive(Clone)]
pub struct OauthApprovals {
    rows: ConditionalRows,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for OauthApprovals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OauthApprovals")
    }
}

impl OauthApprovals {
    /// How long an app has to do it.
    pub const LIFETIME: Duration = Duration::from_secs(10 * 60);

    /// Keeps approvals in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { rows: ConditionalRows::new(store, &OAUTH_APPROVAL), clock }
    }

    /// Approves it, once: for the request that a session of user-interactive authentication stands for, or for the next one.
    ///
    /// # Errors
    /// The store failed.
    pub async fn approve(&self, user_id: &str, session: Option<&str>) -> Result<(), ServiceError> {
        let lifetime = i64::try_from(Self::LIFETIME.as_micros()).unwrap_or(i64::MAX / 2);
        let row = OauthApprovalRow { session_hash: hash(session), expires: self.clock.now().0.saturating_add(lifetime) };
        let partition = partition(user_id);
        loop {
            let written = match self.rows.read::<OauthApprovalRow>(&partition).await? {
                None => self.rows.insert(&partition, &row, Some(Self::LIFETIME)).await?,
                Some(stored) => self.rows.replace(&partition, &stored, &row, Some(Self::LIFETIME)).await?,
            };
            if written {
                return Ok(());
            }
        }
    }

    /// Whether a session may go on; uses the approval up.
    ///
    /// # Errors
    /// The store failed.
    pub async fn take(&self, user_id: &str, session: &str) -> Result<bool, ServiceError> {
        let partition = partition(user_id);
        let Some(stored) = self.rows.read::<OauthApprovalRow>(&partition).await? else { return Ok(false) };
        let row = &stored.row;
        let fits = row.session_hash.is_empty() || row.session_hash == hash(Some(session));
        if !fits || row.expires <= self.clock.now().0 {
            return Ok(false);
        }
        self.rows.take(&partition, &stored).await
    }
}

fn hash(session: Option<&str>) -> Bytes {
    session.map(|session| Bytes::copy_from_slice(TokenHash::of(session).as_bytes())).unwrap_or_default()
}

fn partition(user_id: &str) -> Key {
    key![user_id]
}
