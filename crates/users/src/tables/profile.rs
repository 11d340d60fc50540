use banyan_store::{Column, Compaction, Mode, Table};

/// `profile(user_id | field)`: profile fields. Value: `users.ProfileRow`.
pub(crate) static PROFILE: Table = Table {
    name: "profile",
    partition: &[Column::text("user_id")],
    clustering: &[Column::text("field")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
