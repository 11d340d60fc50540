//! How far durable followers came, and which effects of other logs a log already holds.

use std::sync::Arc;

use banyan_core::{Clock, LogId, LogSeq};
use banyan_proto::log as wire;
use banyan_store::{Range, Store, StoreError, Write, WriteBatch, key};
use prost::Message;

use crate::{DerivedRow, Source, tables::FOLLOWER_CURSOR};

/// The cursors of one durable follower, for example `push` or `federation.3`. Saving one registers the follower with the log's
/// retention: what it has not passed is kept, for a week at most.
#[derive(Clone)]
pub struct Cursors {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    follower: Arc<str>,
}

impl Cursors {
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, follower: &str) -> Self {
        Self { store, clock, follower: follower.into() }
    }

    /// Where the follower has to go on in `log`; `None` if it has never saved a cursor there.
    pub async fn load(&self, log: LogId) -> Result<Option<LogSeq>, StoreError> {
        let row = self.store.get(&FOLLOWER_CURSOR, &key![log.to_string()], &key![&*self.follower]).await?;
        row.map(|row| decode(&row.value)).transpose()
    }

    /// Saves that everything below `next` has had its effects. Repeating it, or going back, is harmless: effects are repeated.
    pub async fn save(&self, log: LogId, next: LogSeq) -> Result<(), StoreError> {
        let row = cursor_row(log, &self.follower, next);
        self.write(row).await
    }

    /// Takes the follower off the log's registry.
    pub async fn forget(&self, log: LogId) -> Result<(), StoreError> {
        let write = Write::Delete { clustering: key![&*self.follower] };
        self.write(DerivedRow { table: &FOLLOWER_CURSOR, partition: key![log.to_string()], write }).await
    }

    async fn write(&self, row: DerivedRow) -> Result<(), StoreError> {
        let DerivedRow { table, partition, write } = row;
        self.store.write(WriteBatch { table, partition, writes: vec![write], at: self.clock.now() }).await
    }
}

/// The cursor as a row, for a follower that keeps it beside its effects.
fn cursor_row(log: LogId, follower: &str, next: LogSeq) -> DerivedRow {
    let value = wire::FollowerCursor { next: next.0 }.encode_to_vec().into();
    let write = Write::Put { clustering: key![follower], value, ttl: None };
    DerivedRow { table: &FOLLOWER_CURSOR, partition: key![log.to_string()], write }
}

fn decode(value: &[u8]) -> Result<LogSeq, StoreError> {
    let row = wire::FollowerCursor::decode(value).map_err(|error| StoreError::Corrupt(format!("follower_cursor: {error}")))?;
    Ok(LogSeq(row.next))
}

/// The cursors of all followers that are registered with `log`.
pub(crate) async fn registered(store: &dyn Store, log: LogId) -> Result<Vec<LogSeq>, StoreError> {
    let partition = key![log.to_string()];
    let mut range = Range::all(1000);
    let mut cursors = Vec::new();
    loop {
        let page = store.scan(&FOLLOWER_CURSOR, &partition, range.clone()).await?;
        for row in &page.rows {
            cursors.push(decode(&row.value)?);
        }
        match page.rows.into_iter().next_back() {
            Some(last) if page.more => range = range.after(last.clustering),
            _ => return Ok(cursors),
        }
    }
}

/// The last effect of a followed log that a log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceCursor {
    /// The entry that had the effect.
    pub seq: LogSeq,
    /// The part of the effect.
    pub part: u32,
}

impl SourceCursor {
    /// Whether `source` is at or below this cursor: its effect happened already.
    #[must_use]
    pub fn covers(&self, source: &Source) -> bool {
        (source.seq, source.part) <= (self.seq, self.part)
    }
}

impl From<Source> for SourceCursor {
    fn from(source: Source) -> Self {
        Self { seq: source.seq, part: source.part }
    }
}
