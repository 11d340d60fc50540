use banyan_store::{Column, Compaction, Mode, Table};

/// `room_key_count(user_id | version)`: how many keys a backup has, and its etag. Value: `users.RoomKeyCount`.
pub(crate) static ROOM_KEY_COUNT: Table = Table {
    name: "room_key_count",
    partition: &[Column::text("user_id")],
    clustering: &[Column::int("version")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
