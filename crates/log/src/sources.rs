//! Which effects of other logs a log holds.

use std::collections::HashMap;

use banyan_core::{LogId, LogSeq};
use banyan_proto::log as wire;
use banyan_store::{Range, Store, StoreError, Write, key};
use prost::Message;

use crate::{DerivedRow, Source, SourceCursor, tables::SOURCE_CURSOR};

/// The cursors of one owner, by the log that was followed.
#[derive(Default)]
pub(crate) struct Sources {
    cursors: HashMap<LogId, SourceCursor>,
    /// Set once all that earlier owners committed was read.
    complete: bool,
}

impl Sources {
    /// Notes an effect that is in the log or queued for it.
    pub(crate) fn note(&mut self, source: Source) {
        let cursor = self.cursors.entry(source.log).or_insert_with(|| source.into());
        *cursor = (*cursor).max(source.into());
    }

    pub(crate) fn complete(&mut self) {
        self.complete = true;
    }

    /// Whether the effect is in the log already; `None` while that is not known.
    pub(crate) fn covers(&self, source: &Source) -> Option<bool> {
        let covered = self.cursors.get(&source.log).is_some_and(|cursor| cursor.covers(source));
        (covered || self.complete).then_some(covered)
    }
}

/// The row that keeps a source.
pub(crate) fn row(log: LogId, source: &Source) -> DerivedRow {
    let value = wire::SourceCursor { seq: source.seq.0, part: source.part }.encode_to_vec().into();
    let write = Write::Put { clustering: key![source.log.to_string()], value, ttl: None };
    DerivedRow { table: &SOURCE_CURSOR, partition: key![log.to_string()], write }
}

/// Reads the rows of a log.
pub(crate) async fn load(store: &dyn Store, log: LogId) -> Result<Vec<Source>, StoreError> {
    // One row per log that exists: at most 8,192.
    let page = store.scan(&SOURCE_CURSOR, &key![log.to_string()], Range::all(10_000)).await?;
    let corrupt = |what: &str| StoreError::Corrupt(format!("source_cursor of {log}: {what}"));
    let read = |row: &banyan_store::Row| {
        let name = row.clustering.first().and_then(banyan_store::KeyPart::as_text).ok_or_else(|| corrupt("no name"))?;
        let value = wire::SourceCursor::decode(row.value.clone()).map_err(|error| corrupt(&error.to_string()))?;
        Ok(Source { log: name.parse().map_err(|_| corrupt("no log"))?, seq: LogSeq(value.seq), part: value.part })
    };
    page.rows.iter().map(read).collect()
}
