//! The tables of this crate.

use banyan_store::{Column, Compaction, Mode, Table};

/// `tenant_key(server_name | generation)`: signing keys. Conditional, so that replicas that start together agree on one.
pub(crate) static TENANT_KEY: Table = Table {
    name: "tenant_key",
    partition: &[Column::text("server_name")],
    clustering: &[Column::int("generation")],
    mode: Mode::Conditional,
    compaction: Compaction::Leveled,
};

/// Every table of this crate, for the schema.
pub static TABLES: &[&Table] = &[&TENANT_KEY];
