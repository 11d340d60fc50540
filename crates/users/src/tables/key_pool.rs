use banyan_store::{Column, Compaction, Mode, Table};

/// `key_pool(user_id | device_id)`: which one-time keys of a device are unclaimed, and its fallback keys. Value: `users.KeyPool`.
pub(crate) static KEY_POOL: Table = Table {
    name: "key_pool",
    partition: &[Column::text("user_id")],
    clustering: &[Column::text("device_id")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
