//! What of users' account data decides about what they are notified of.

use banyan_proto::users::AccountDataRow;
use banyan_store::{Row, key};
use bytes::Bytes;

use super::{UserReader, decode};
use crate::{ReadError, push_rules, tables::ACCOUNT_DATA};

/// The account data type of the users whom a user ignores.
pub const IGNORED_USERS: &str = "m.ignored_user_list";

/// What a user stored; nothing where they never did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notifying {
    /// The content of `m.push_rules`, as stored.
    pub push_rules: Option<Bytes>,
    /// The content of `m.ignored_user_list`.
    pub ignored_users: Option<Bytes>,
}

impl UserReader {
    /// What these users stored, in the order asked; at most 5,000 at once.
    ///
    /// # Errors
    /// The store's.
    pub async fn notifying(&self, user_ids: &[&str]) -> Result<Vec<Notifying>, ReadError> {
        let keys = user_ids
            .iter()
            .flat_map(|user_id| [push_rules::ACCOUNT_DATA_TYPE, IGNORED_USERS].map(|kind| (key![*user_id], key!["", kind])));
        let keys: Vec<_> = keys.collect();
        let rows = self.store.multi_get(&ACCOUNT_DATA, &keys).await?;
        let pairs = rows.chunks(2).map(|pair| match pair {
            [rules, ignored] => Ok(Notifying { push_rules: content(rules)?, ignored_users: content(ignored)? }),
            _ => Ok(Notifying::default()),
        });
        pairs.collect()
    }
}

fn content(row: &Option<Row>) -> Result<Option<Bytes>, ReadError> {
    let row = row.as_ref().map(|row| decode::<AccountDataRow>(&ACCOUNT_DATA, row.value.clone())).transpose()?;
    Ok(row.map(|row| row.content).filter(|content| !content.is_empty()))
}
