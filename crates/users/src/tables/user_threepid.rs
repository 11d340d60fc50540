use banyan_store::{Column, Compaction, Mode, Table};

/// `user_threepid(user_id | medium, address)`: the third-party identifiers of a user. Each row comes from the log that owns the identifier,
/// not the user. Value: `users.UserThreepidRow`.
pub(crate) static USER_THREEPID: Table = Table {
    name: "user_threepid",
    partition: &[Column::text("user_id")],
    clustering: &[Column::text("medium"), Column::text("address")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
