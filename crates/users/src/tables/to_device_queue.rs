use banyan_store::{Column, Compaction, Mode, Table};

/// `to_device_queue(user_id | device_id)`: how far a device acknowledged its messages and how many wait. Value:
/// `users.ToDeviceQueueRow`. Whatever lies below the acknowledged position is void, whether or not its row is still there.
pub(crate) static TO_DEVICE_QUEUE: Table = Table {
    name: "to_device_queue",
    partition: &[Column::text("user_id")],
    clustering: &[Column::text("device_id")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
