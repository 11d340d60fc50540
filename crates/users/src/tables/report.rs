use banyan_store::{Column, Compaction, Mode, Table};

/// `report((tenant, bucket) | number)`: what was reported to the administrators of a tenant, [`crate::report::BUCKET`] in a partition.
/// Value: `users.Report`.
pub(crate) static REPORT: Table = Table {
    name: "report",
    partition: &[Column::text("tenant"), Column::int("bucket")],
    clustering: &[Column::int("number")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
