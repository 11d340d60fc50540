use banyan_store::{Column, Compaction, Mode, Table};

/// `account_data(user_id | room_id, type)`: account data; `room_id` is empty for global. Value: `users.AccountDataRow`.
pub(crate) static ACCOUNT_DATA: Table = Table {
    name: "account_data",
    partition: &[Column::text("user_id")],
    clustering: &[Column::text("room_id"), Column::text("type")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
