use banyan_store::{Column, Compaction, Mode, Table};

/// `key_signature(signer | target_user, target_key, key_id)`: signatures of keys, at the user who made them. Value: `users.KeySignature`.
pub(crate) static KEY_SIGNATURE: Table = Table {
    name: "key_signature",
    partition: &[Column::text("signer")],
    clustering: &[Column::text("target_user"), Column::text("target_key"), Column::text("key_id")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
