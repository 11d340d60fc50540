use banyan_store::{Column, Compaction, Mode, Table};

/// `sso_flow(state_hash)`: people who are on their way through an upstream provider, by the BLAKE3 hash of the
/// secret that they come back with. Value: `users.SsoFlowRow`.
pub(crate) static SSO_FLOW: Table = Table {
    name: "sso_flow",
    partition: &[Column::blob("state_hash")],
    clustering: &[],
    mode: Mode::Conditional,
    compaction: Compaction::Leveled,
};
