use banyan_store::{Column, Compaction, Mode, Table};

/// `registration_nonce(nonce)`: nonces of registration by a shared secret. Value: `users.RegistrationNonceRow`.
pub(crate) static REGISTRATION_NONCE: Table = Table {
    name: "registration_nonce",
    partition: &[Column::text("nonce")],
    clustering: &[],
    mode: Mode::Conditional,
    compaction: Compaction::Leveled,
};
