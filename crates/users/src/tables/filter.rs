use banyan_store::{Column, Compaction, Mode, Table};

/// `filter(user_id | filter_id)`: sync filters. Value: `users.FilterRow`.
pub(crate) static FILTER: Table = Table {
    name: "filter",
    partition: &[Column::text("user_id")],
    clustering: &[Column::text("filter_id")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
