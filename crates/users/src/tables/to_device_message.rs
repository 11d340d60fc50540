use banyan_store::{Column, Compaction, Mode, Table};

/// `to_device_message(user_id, message_id)`: messages that came lately, so that a repeated transaction brings nothing twice; no value.
pub(crate) static TO_DEVICE_MESSAGE: Table = Table {
    name: "to_device_message",
    partition: &[Column::text("user_id"), Column::blob("message_id")],
    clustering: &[],
    mode: Mode::Cache,
    compaction: Compaction::TimeWindow,
};
