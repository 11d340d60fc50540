use banyan_store::{Column, Compaction, Mode, Table};

/// `external_id(tenant, provider, subject)`: whose accounts people of upstream providers have. Value: `users.ExternalIdRow`.
pub(crate) static EXTERNAL_ID: Table = Table {
    name: "external_id",
    partition: &[Column::text("tenant"), Column::text("provider"), Column::text("subject")],
    clustering: &[],
    mode: Mode::Conditional,
    compaction: Compaction::Leveled,
};
