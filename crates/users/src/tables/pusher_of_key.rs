use banyan_store::{Column, Compaction, Mode, Table};

/// `pusher_of_key((app_id, pushkey) | user_id)`: which users have a pusher with this key. Value: `users.PusherOfKeyRow`.
pub(crate) static PUSHER_OF_KEY: Table = Table {
    name: "pusher_of_key",
    partition: &[Column::text("app_id"), Column::text("pushkey")],
    clustering: &[Column::text("user_id")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
