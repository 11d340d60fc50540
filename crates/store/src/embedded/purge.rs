//! Takes rows out for good, while the database sorts its files: marks of deleted rows once no late write can be older than them, and
//! rows whose time to live is over.

use std::{panic::AssertUnwindSafe, sync::Arc};

use banyan_core::{Clock, TimestampMicros};
use fjall::compaction::filter::{CompactionFilter, CompactionFilterResult, Context, Factory, ItemAccessor, Verdict};

use super::encoding::decode_cell;
use crate::cell::Cell;

/// How long the mark of a deleted row is kept: longer than any write with an older timestamp could still be under way. A replay of a
/// log may write such a row again, but then comes to its deletion again too.
const GRACE_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// Makes the filters.
pub(super) struct Purge(AssertUnwindSafe<Arc<dyn Clock>>);

impl Purge {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self(AssertUnwindSafe(clock))
    }
}

impl Factory for Purge {
    fn name(&self) -> &str {
        "purge"
    }

    fn make_filter(&self, _: &Context) -> Box<dyn CompactionFilter> {
        Box::new(Filter { now: self.0.now() })
    }
}

struct Filter {
    now: TimestampMicros,
}

impl CompactionFilter for Filter {
    fn filter_item(&mut self, item: ItemAccessor<'_>, _: &Context) -> CompactionFilterResult {
        // What does not read as a cell is left for a reader to report.
        let over = decode_cell(&item.value()?).is_ok_and(|cell| is_over(&cell, self.now));
        Ok(if over { Verdict::Remove } else { Verdict::Keep })
    }
}

fn is_over(cell: &Cell, now: TimestampMicros) -> bool {
    let deleted = cell.value.is_none() && cell.written.0 < now.0 - GRACE_MICROS;
    deleted || cell.expires.is_some_and(|expires| expires.0 < now.0 - GRACE_MICROS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_long_over_goes() {
        let now = TimestampMicros(3 * GRACE_MICROS);
        let cell = |value: Option<&'static [u8]>, written: i64, expires: Option<i64>| Cell {
            value: value.map(bytes::Bytes::from_static),
            written: TimestampMicros(written),
            expires: expires.map(TimestampMicros),
        };
        assert!(is_over(&cell(None, GRACE_MICROS, None), now));
        assert!(!is_over(&cell(None, now.0 - 1, None), now));
        assert!(!is_over(&cell(Some(b"v"), 0, None), now));
        assert!(is_over(&cell(Some(b"v"), 0, Some(GRACE_MICROS)), now));
        assert!(!is_over(&cell(Some(b"v"), 0, Some(now.0 + 1)), now));
    }
}
