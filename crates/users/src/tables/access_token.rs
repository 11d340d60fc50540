use banyan_store::{Column, Compaction, Mode, Table};

/// `access_token(token_hash)`: access tokens by their BLAKE3 hash. Value: `users.AccessToken`.
pub(crate) static ACCESS_TOKEN: Table = Table {
    name: "access_token",
    partition: &[Column::blob("token_hash")],
    clustering: &[],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
