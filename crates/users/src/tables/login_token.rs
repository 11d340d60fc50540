use banyan_store::{Column, Compaction, Mode, Table};

/// `login_token(token_hash)`: tokens that allow one login, by their BLAKE3 hash. Value: `users.ShortTokenRow`.
pub(crate) static LOGIN_TOKEN: Table = Table {
    name: "login_token",
    partition: &[Column::blob("token_hash")],
    clustering: &[],
    mode: Mode::Conditional,
    compaction: Compaction::Leveled,
};
