use banyan_store::{Column, Compaction, Mode, Table};

/// `refresh_token(token_hash)`: refresh tokens by their BLAKE3 hash. Value: `users.RefreshToken`.
pub(crate) static REFRESH_TOKEN: Table = Table {
    name: "refresh_token",
    partition: &[Column::blob("token_hash")],
    clustering: &[],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
