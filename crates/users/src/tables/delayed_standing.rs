use banyan_store::{Column, Compaction, Mode, Table};

/// `delayed_standing(user_id | delay_id)`: a user's delayed events, and what became of them. Value: `users.DelayedStanding`.
pub(crate) static DELAYED_STANDING: Table = Table {
    name: "delayed_standing",
    partition: &[Column::text("user_id")],
    clustering: &[Column::text("delay_id")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
