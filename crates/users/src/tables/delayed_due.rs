use banyan_store::{Column, Compaction, Mode, Table};

/// `delayed_due(shard | user_id, delay_id)`: when the delayed events of a shard are due that are not finalised. Value:
/// `users.DelayedDue`. Not ordered by time: a restart, which calls make every few seconds, then overwrites one row and leaves no trace of
/// the old one. The owner reads a partition once, when it opens the shard, and it takes at most
/// [`crate::delayed_events::MAX_PER_SHARD`].
pub(crate) static DELAYED_DUE: Table = Table {
    name: "delayed_due",
    partition: &[Column::int("shard")],
    clustering: &[Column::text("user_id"), Column::text("delay_id")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
