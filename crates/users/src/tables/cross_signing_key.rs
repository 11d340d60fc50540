use banyan_store::{Column, Compaction, Mode, Table};

/// `cross_signing_key(user_id | usage)`: cross-signing keys. Value: `users.CrossSigningKeyRow`.
pub(crate) static CROSS_SIGNING_KEY: Table = Table {
    name: "cross_signing_key",
    partition: &[Column::text("user_id")],
    clustering: &[Column::int("usage")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
