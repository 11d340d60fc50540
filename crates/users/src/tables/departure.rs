use banyan_store::{Column, Compaction, Mode, Table};

/// `departure(shard | user_id)`: deactivated users who have yet to leave rooms. Value: `users.Departure`.
pub(crate) static DEPARTURE: Table = Table {
    name: "departure",
    partition: &[Column::int("shard")],
    clustering: &[Column::text("user_id")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
