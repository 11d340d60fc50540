use banyan_store::{Column, Compaction, Mode, Table};

/// `pusher(user_id | app_id, pushkey)`: where the user's clients want to be told of notifications. Value: `users.Pusher`.
pub(crate) static PUSHER: Table = Table {
    name: "pusher",
    partition: &[Column::text("user_id")],
    clustering: &[Column::text("app_id"), Column::text("pushkey")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
