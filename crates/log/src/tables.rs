//! The log's own tables, beside `shard_owner` and `shard_log`.

use banyan_store::{Column, Compaction, Mode, Table};

/// `log_progress(log) -> LogProgress`: how far the owner applied, and how far that is synced.
pub static LOG_PROGRESS: Table = Table {
    name: "log_progress",
    partition: &[Column::text("log")],
    clustering: &[],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

/// `log_request(log, second | request_id, seq)`: the entries a request caused; no value. `second` is the request id's own time, so that
/// a partition stays small and the rows of a batch fall into few.
pub static LOG_REQUEST: Table = Table {
    name: "log_request",
    partition: &[Column::text("log"), Column::int("second")],
    clustering: &[Column::blob("request_id"), Column::int("seq")],
    mode: Mode::Cache,
    compaction: Compaction::TimeWindow,
};

/// `follower_cursor(log | follower) -> FollowerCursor`: durable followers of a log and how far they came; the registry for retention.
pub static FOLLOWER_CURSOR: Table = Table {
    name: "follower_cursor",
    partition: &[Column::text("log")],
    clustering: &[Column::text("follower")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

/// `source_cursor(log | source) -> SourceCursor`: the last effect of each other log that this log holds.
pub static SOURCE_CURSOR: Table = Table {
    name: "source_cursor",
    partition: &[Column::text("log")],
    clustering: &[Column::text("source")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

/// `parked_row(log | seq, position) -> ParkedRow`: rows that could not be derived or written. Any row here is an alarm.
pub static PARKED_ROW: Table = Table {
    name: "parked_row",
    partition: &[Column::text("log")],
    clustering: &[Column::int("seq"), Column::int("position")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};

/// All of them, for the schema.
pub static ALL: &[&Table] = &[&LOG_PROGRESS, &LOG_REQUEST, &FOLLOWER_CURSOR, &SOURCE_CURSOR, &PARKED_ROW];
