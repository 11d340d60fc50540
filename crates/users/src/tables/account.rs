use banyan_store::{Column, Compaction, Mode, Table};

/// `account(user_id)`: accounts. Value: `users.Account`.
pub(crate) static ACCOUNT: Table = Table {
    name: "account",
    partition: &[Column::text("user_id")],
    clustering: &[],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
