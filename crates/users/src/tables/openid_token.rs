use banyan_store::{Column, Compaction, Mode, Table};

/// `openid_token(token_hash)`: tokens that tell others who somebody is, by their BLAKE3 hash. Value: `users.ShortTokenRow`.
pub(crate) static OPENID_TOKEN: Table = Table {
    name: "openid_token",
    partition: &[Column::blob("token_hash")],
    clustering: &[],
    mode: Mode::Conditional,
    compaction: Compaction::Leveled,
};
