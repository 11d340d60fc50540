use banyan_store::{Column, Compaction, Mode, Table};

/// `one_time_key((user_id, device_id) | algorithm, position)`: one-time keys, and the last ones claimed. Value: `users.OneTimeKey`.
pub(crate) static ONE_TIME_KEY: Table = Table {
    name: "one_time_key",
    partition: &[Column::text("user_id"), Column::text("device_id")],
    clustering: &[Column::text("algorithm"), Column::int("position")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
