use banyan_store::{Column, Compaction, Mode, Table};

/// `dehydrated_device(user_id)`: which device of a user is dehydrated, and what it is restored from. Value: `users.DehydratedDevice`.
pub(crate) static DEHYDRATED_DEVICE: Table = Table {
    name: "dehydrated_device",
    partition: &[Column::text("user_id")],
    clustering: &[],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
