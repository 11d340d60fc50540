//! Third-party identifiers.

use banyan_proto::users::{ThreepidRow, UserThreepidRow};
use banyan_store::{Range, key};

use super::{PAGE, UserReader, decode, text};
use crate::{
    ReadError,
    tables::{THREEPID, USER_THREEPID},
};

/// A third-party identifier that is a part of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserThreepid {
    /// `email`, so far.
    pub medium: String,
    /// Canonical.
    pub address: String,
    /// When it was proved to be the user's, in microseconds.
    pub validated: i64,
    /// When it became a part of the account, in microseconds.
    pub added: i64,
}

impl UserReader {
    /// Who has, or holds, a canonical identifier; `None` if nobody ever did or it was given up.
    pub async fn threepid(&self, tenant: &str, medium: &str, address: &str) -> Result<Option<ThreepidRow>, ReadError> {
        self.get(&THREEPID, key![tenant, medium, address], key![]).await
    }

    /// Whose account a canonical identifier is a part of; `None` if nobody's, or of one that was deactivated.
    pub async fn threepid_owner(&self, tenant: &str, medium: &str, address: &str) -> Result<Option<String>, ReadError> {
        let row = self.threepid(tenant, medium, address).await?.filter(|row| !row.user_id.is_empty());
        let Some(row) = row else { return Ok(None) };
        let account = self.account(&row.user_id).await?;
        Ok(account.is_some_and(|account| !account.deactivated).then_some(row.user_id))
    }

    /// The identifiers of a user.
    pub async fn user_threepids(&self, user_id: &str) -> Result<Vec<UserThreepid>, ReadError> {
        let rows = self.scan(&USER_THREEPID, key![user_id], Range::all(PAGE)).await?;
        rows.into_iter()
            .map(|row| {
                let value: UserThreepidRow = decode(&USER_THREEPID, row.value)?;
                let medium = text(&USER_THREEPID, &row.clustering, 0)?;
                let address = text(&USER_THREEPID, &row.clustering, 1)?;
                Ok(UserThreepid { medium, address, validated: value.validated, added: value.added })
            })
            .collect()
    }
}
