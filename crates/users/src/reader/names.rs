//! Users by their names.

use std::collections::{BTreeMap, BTreeSet};

use banyan_proto::users::{Account, ProfileRow, account};
use banyan_store::{Bound, Range, key};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use ruma::ServerName;

use super::{UserReader, decode, json, text};
use crate::{
    ReadError,
    apply::names::partition,
    tables::{ACCOUNT, PROFILE, USER_NAME},
    user_search::BUCKETS,
};

/// The fields of a profile that a search shows.
const SHOWN: [&str; 2] = ["displayname", "avatar_url"];

/// Users with a word in their names.
#[derive(Clone, Debug, Default)]
pub struct NamedUsers {
    /// Their ids, those with the shortest words first.
    pub user_ids: Vec<String>,
    /// Whether there are more.
    pub more: bool,
}

/// What a search shows of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShownProfile {
    /// `displayname`.
    pub display_name: Option<String>,
    /// `avatar_url`.
    pub avatar_url: Option<String>,
}

impl UserReader {
    /// Users, of one server or of all, who have a word in their names that begins with `prefix` (folded, not empty), at most about
    /// `limit` (up to 10,000). Some of them may be gone.
    pub async fn users_named(&self, server: Option<&ServerName>, prefix: &str, limit: usize) -> Result<NamedUsers, ReadError> {
        let scope = server.map_or("", ServerName::as_str);
        let share = limit.div_ceil(usize::from(BUCKETS));
        let scans = stream::iter(0..BUCKETS).map(|bucket| async move {
            let range = Range {
                from: Bound::Included(key![prefix]),
                // After everything that begins so.
                to: Bound::Excluded(key![format!("{prefix}\u{10ffff}")]),
                reverse: false,
                limit: share.max(1),
            };
            self.store.scan(&USER_NAME, &partition(scope, prefix, bucket), range).await
        });
        let pages: Vec<_> = scans.buffer_unordered(usize::from(BUCKETS)).try_collect().await?;
        let mut named = BTreeSet::new();
        for row in pages.iter().flat_map(|page| &page.rows) {
            named.insert((text(&USER_NAME, &row.clustering, 0)?, text(&USER_NAME, &row.clustering, 1)?));
        }
        let mut seen = BTreeSet::new();
        let user_ids = named.into_iter().map(|(_, user_id)| user_id).filter(|user_id| seen.insert(user_id.clone())).collect();
        Ok(NamedUsers { user_ids, more: pages.iter().any(|page| page.more) })
    }

    /// Those of the users (up to 5,000) who are people with an account that works, with what a search shows of them.
    pub async fn shown_profiles(&self, user_ids: &[&str]) -> Result<BTreeMap<String, ShownProfile>, ReadError> {
        let keys: Vec<_> = user_ids.iter().map(|id| (key![*id], key![])).collect();
        let accounts = self.store.multi_get(&ACCOUNT, &keys).await?;
        let mut people = Vec::with_capacity(user_ids.len());
        for (user_id, row) in user_ids.iter().zip(accounts) {
            let Some(row) = row else { continue };
            let account: Account = decode(&ACCOUNT, row.value)?;
            if account.kind() == account::Kind::User && !account.deactivated && !account.locked {
                people.push(*user_id);
            }
        }
        let keys: Vec<_> = people.iter().flat_map(|id| SHOWN.map(|field| (key![*id], key![field]))).collect();
        let rows = self.store.multi_get(&PROFILE, &keys).await?;
        let mut profiles = BTreeMap::new();
        for (user_id, rows) in people.into_iter().zip(rows.chunks(SHOWN.len())) {
            let mut fields = rows.iter().map(|row| {
                let Some(row) = row else { return Ok(None) };
                let row: ProfileRow = decode(&PROFILE, row.value.clone())?;
                Ok::<_, ReadError>(json(&PROFILE, &row.value)?.as_str().map(str::to_owned))
            });
            let mut field = || fields.next().transpose().map(Option::flatten);
            profiles.insert(user_id.to_owned(), ShownProfile { display_name: field()?, avatar_url: field()? });
        }
        Ok(profiles)
    }
}
