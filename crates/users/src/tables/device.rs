use banyan_store::{Column, Compaction, Mode, Table};

/// `device(user_id | device_id)`: devices. Value: `users.Device`.
pub(crate) static DEVICE: Table = Table {
    name: "device",
    partition: &[Column::text("user_id")],
    clustering: &[Column::text("device_id")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
