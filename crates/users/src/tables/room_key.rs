use banyan_store::{Column, Compaction, Mode, Table};

/// `room_key((user_id, version, bucket) | room_id, session_id)`: keys in a backup. Value: `users.RoomKeyRow`. A backup has
/// [`crate::key_backup::BUCKETS`] partitions, and its keys are spread over them.
pub(crate) static ROOM_KEY: Table = Table {
    name: "room_key",
    partition: &[Column::text("user_id"), Column::int("version"), Column::int("bucket")],
    clustering: &[Column::text("room_id"), Column::text("session_id")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
