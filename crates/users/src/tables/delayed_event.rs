use banyan_store::{Column, Compaction, Mode, Table};

/// `delayed_event(delay_id)`: what is to be sent, or was. Value: `users.DelayedEvent`.
pub(crate) static DELAYED_EVENT: Table = Table {
    name: "delayed_event",
    partition: &[Column::text("delay_id")],
    clustering: &[],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
