use banyan_store::{Column, Compaction, Mode, Table};

/// `to_device((user_id, device_id) | position)`: messages to a device until it acknowledged them. Value: `users.ToDeviceRow`. The
/// position is the sequence of the entry that brought the message. At most [`crate::to_device::MAX_WAITING`] rows per partition.
pub(crate) static TO_DEVICE: Table = Table {
    name: "to_device",
    partition: &[Column::text("user_id"), Column::text("device_id")],
    clustering: &[Column::int("position")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
