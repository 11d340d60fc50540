use banyan_store::{Column, Compaction, Mode, Table};

/// `newest_report(tenant)`: the number of a tenant's last report. Value: `users.NewestReport`.
pub(crate) static NEWEST_REPORT: Table = Table {
    name: "newest_report",
    partition: &[Column::text("tenant")],
    clustering: &[],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
