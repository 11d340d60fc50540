//! A timestamped row as the memory and embedded backends keep it, and which of two wins.

use banyan_core::TimestampMicros;
use bytes::Bytes;

use crate::{Key, Write, WriteBatch, check::ttl_seconds};

/// A row, or the mark of a deleted one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    /// `None`: deleted.
    pub(crate) value: Option<Bytes>,
    pub(crate) written: TimestampMicros,
    pub(crate) expires: Option<TimestampMicros>,
}

impl Cell {
    /// The value, unless deleted or expired.
    pub(crate) fn live(&self, now: TimestampMicros) -> Option<&Bytes> {
        self.value.as_ref().filter(|_| self.expires.is_none_or(|expires| now < expires))
    }

    /// Last writer wins; on a tie a delete, else the larger value, as in CQL.
    pub(crate) fn beats(&self, other: &Self) -> bool {
        (self.written, self.value.is_none(), &self.value) > (other.written, other.value.is_none(), &other.value)
    }
}

/// A batch's cells in order of their keys; of several writes to one row the last.
pub(crate) fn cells(batch: &WriteBatch, now: TimestampMicros) -> std::collections::BTreeMap<&Key, Cell> {
    batch.writes.iter().map(|write| cell(write, batch.at, now)).collect()
}

fn cell(write: &Write, at: TimestampMicros, now: TimestampMicros) -> (&Key, Cell) {
    match write {
        Write::Put { clustering, value, ttl } => {
            let expires = ttl.map(|ttl| expiry(now, ttl));
            let written = TimestampMicros(at.0.saturating_add(1));
            (clustering, Cell { value: Some(value.clone()), written, expires })
        }
        Write::Delete { clustering } => (clustering, Cell { value: None, written: at, expires: None }),
    }
}

/// When a row written now with this time to live ends.
pub(crate) fn expiry(now: TimestampMicros, ttl: std::time::Duration) -> TimestampMicros {
    TimestampMicros(now.0.saturating_add(i64::from(ttl_seconds(ttl)) * 1_000_000))
}
