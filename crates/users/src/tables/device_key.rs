use banyan_store::{Column, Compaction, Mode, Table};

/// `device_key(user_id | device_id)`: identity keys of devices. Value: `users.DeviceKeyRow`.
pub(crate) static DEVICE_KEY: Table = Table {
    name: "device_key",
    partition: &[Column::text("user_id")],
    clustering: &[Column::text("device_id")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
