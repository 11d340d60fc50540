//! Account data that a response tells.

use std::{collections::BTreeMap, sync::Arc};

use banyan_core::LogSeq;
use bytes::Bytes;

use crate::{
    source::AccountDatum,
    tails::change::{UserChange, UserChangeKind},
};

/// By room (empty: global) and type.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccountData(BTreeMap<String, BTreeMap<String, Bytes>>);

impl AccountData {
    /// What changes of a user set last.
    pub(crate) fn of_changes(changes: &[Arc<UserChange>]) -> Self {
        let mut data = Self::default();
        for change in changes {
            if let UserChangeKind::AccountData { room, kind, content } = &change.kind {
                data.set(room, kind, content);
            }
        }
        data
    }

    /// What rows say; only what was set at or after `since`.
    pub(crate) fn of_rows(rows: &[AccountDatum], since: Option<LogSeq>) -> Self {
        let mut data = Self::default();
        for row in rows.iter().filter(|row| since.is_none_or(|since| row.seq >= since && row.seq > LogSeq(0))) {
            data.set(&row.room, &row.kind, &row.content);
        }
        data
    }

    fn set(&mut self, room: &str, kind: &str, content: &Bytes) {
        self.0.entry(room.to_owned()).or_default().insert(kind.to_owned(), content.clone());
    }

    /// What is set for a room, or globally, as events, each JSON.
    pub(crate) fn events(&self, room: &str, takes: impl Fn(&str) -> bool) -> Vec<Vec<u8>> {
        let set = self.0.get(room).into_iter().flatten();
        set.filter(|(kind, _)| takes(kind)).map(|(kind, content)| event(kind, content)).collect()
    }

    /// The rooms of which something is set.
    pub(crate) fn rooms(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str).filter(|room| !room.is_empty())
    }
}

/// Account data that was removed is told as an empty object.
fn event(kind: &str, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + kind.len() + 24);
    out.extend_from_slice(b"{\"content\":");
    out.extend_from_slice(if content.is_empty() { b"{}" } else { content });
    out.extend_from_slice(b",\"type\":");
    out.extend_from_slice(serde_json::Value::from(kind).to_string().as_bytes());
    out.push(b'}');
    out
}
