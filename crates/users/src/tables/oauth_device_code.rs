use banyan_store::{Column, Compaction, Mode, Table};

/// `oauth_device_code(device_code_hash)`: devices that wait to be let in, by the BLAKE3 hash of their code. Value:
/// `users.OauthDeviceCodeRow`.
pub(crate) static OAUTH_DEVICE_CODE: Table = Table {
    name: "oauth_device_code",
    partition: &[Column::blob("device_code_hash")],
    clustering: &[],
    mode: Mode::Conditional,
    compaction: Compaction::Leveled,
};
