use banyan_store::{Column, Compaction, Mode, Table};

/// `oauth_user_code(user_code_hash)`: what people type to let a device in, by its BLAKE3 hash. Value: `users.OauthUserCodeRow`.
pub(crate) static OAUTH_USER_CODE: Table = Table {
    name: "oauth_user_code",
    partition: &[Column::blob("user_code_hash")],
    clustering: &[],
    mode: Mode::Conditional,
    compaction: Compaction::Leveled,
};
