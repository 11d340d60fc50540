//! Users by the words of their names.

use std::collections::BTreeSet;

use banyan_log::DerivedRow;
use banyan_proto::users::{Account, ProfileChanged, account};
use banyan_store::{Key, Write, key};
use bytes::Bytes;

use crate::{
    tables::USER_NAME,
    user_search::{BUCKETS, localpart_words, name_words},
};

/// The rows of an account: people are found by their localparts for as long as there is the account.
pub(super) fn of_account(user_id: &str, account: &Account) -> Vec<DerivedRow> {
    if account.kind() == account::Kind::Guest {
        return Vec::new();
    }
    let words = localpart_words(user_id);
    rows(user_id, &words, account.deactivated)
}

/// The rows of a display name that changed.
pub(super) fn of_profile(user_id: &str, changed: &ProfileChanged) -> Vec<DerivedRow> {
    if changed.field != "displayname" {
        return Vec::new();
    }
    let words = |value: &[u8]| serde_json::from_slice::<String>(value).map(|name| name_words(&name)).unwrap_or_default();
    let now = words(&changed.value);
    let stay = &now | &localpart_words(user_id);
    let gone: BTreeSet<String> = words(&changed.previous).difference(&stay).cloned().collect();
    let mut rows = rows(user_id, &gone, true);
    rows.extend(self::rows(user_id, &now, false));
    rows
}

fn rows(user_id: &str, words: &BTreeSet<String>, gone: bool) -> Vec<DerivedRow> {
    let server_name = user_id.split_once(':').map_or("", |(_, server_name)| server_name);
    let mut rows = Vec::with_capacity(2 * words.len());
    for word in words {
        for scope in [server_name, ""] {
            let clustering = key![word.as_str(), user_id];
            let write = match gone {
                true => Write::Delete { clustering },
                false => Write::Put { clustering, value: Bytes::new(), ttl: None },
            };
            rows.push(DerivedRow { table: &USER_NAME, partition: partition(scope, word, bucket(user_id)), write });
        }
    }
    rows
}

fn bucket(user_id: &str) -> u8 {
    blake3::hash(user_id.as_bytes()).as_bytes()[0] % BUCKETS
}

/// The partition of a scope's words with the first letter of `word`.
pub(crate) fn partition(scope: &str, word: &str, bucket: u8) -> Key {
    let letter: String = word.chars().take(1).collect();
    key![scope, letter, i64::from(bucket)]
}
