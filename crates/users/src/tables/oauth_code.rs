use banyan_store::{Column, Compaction, Mode, Table};

/// `oauth_code(code_hash)`: authorisation codes, by their BLAKE3 hash. Value: `users.OauthCodeRow`.
pub(crate) static OAUTH_CODE: Table = Table {
    name: "oauth_code",
    partition: &[Column::blob("code_hash")],
    clustering: &[],
    mode: Mode::Conditional,
    compaction: Compaction::Leveled,
};
