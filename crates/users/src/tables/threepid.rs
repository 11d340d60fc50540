use banyan_store::{Column, Compaction, Mode, Table};

/// `threepid(tenant, medium, address)`: whose third-party identifiers are. Value: `users.ThreepidRow`.
pub(crate) static THREEPID: Table = Table {
    name: "threepid",
    partition: &[Column::text("tenant"), Column::text("medium"), Column::text("address")],
    clustering: &[],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
