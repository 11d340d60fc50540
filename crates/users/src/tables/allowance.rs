use banyan_store::{Column, Compaction, Mode, Table};

/// `allowance(tenant, what, whom)`: how often somebody may still do something, or be sent a mail. Value: `users.AllowanceRow`.
pub(crate) static ALLOWANCE: Table = Table {
    name: "allowance",
    partition: &[Column::text("tenant"), Column::text("what"), Column::text("whom")],
    clustering: &[],
    mode: Mode::Conditional,
    compaction: Compaction::Leveled,
};
