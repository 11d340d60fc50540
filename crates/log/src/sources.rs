//! Which effects of other logs a log holds.

use std::collections::HashMap;

use banyan_core::{LogId, LogSeq};
use banyan_proto::log as wire;
use banyan_store::{Range, Store, StoreError, Write, key};
use prost::Message;

use crate::{DerivedRow, Source, SourceCursor, tables::SOURCE_CURSOR};

/// What is known of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It is not in the log.
    New,
    /// It is queued, or it is not known yet what earlier owners committed.
    UnderWay,
    /// It, or a later one, is in the log.
    Committed,
}

/// The cursors of one owner, by the log that was followed.
#[derive(Default)]
pub(crate) struct Sources {
    committed: HashMap<LogId, SourceCursor>,
    /// What is queued may yet be refused: nobody may be told that it happened.
    queued: HashMap<LogId, SourceCursor>,
    /// Set once all that earlier owners committed was read.
    complete: bool,
}

impl Sources {
    /// Notes an effect that was proposed.
    pub(crate) fn queue(&mut self, source: Source) {
        raise(&mut self.queued, source);
    }

    /// Notes an effect that is in the log.
    pub(crate) fn commit(&mut self, source: Source) {
        raise(&mut self.committed, source);
    }

    pub(crate) fn complete(&mut self) {
        self.complete = true;
    }

    pub(crate) fn find(&self, source: &Source) -> Effect {
        let covered = |cursors: &HashMap<LogId, SourceCursor>| cursors.get(&source.log).is_some_and(|cursor| cursor.covers(source));
        if covered(&self.committed) {
            Effect::Committed
        } else if !self.complete || covered(&self.queued) {
            Effect::UnderWay
        } else {
            Effect::New
        }
    }
}

fn raise(cursors: &mut HashMap<LogId, SourceCursor>, source: Source) {
    let cursor = cursors.entry(source.log).or_insert_with(|| source.into());
    *cursor = (*cursor).max(source.into());
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
