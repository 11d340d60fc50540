use banyan_store::{Column, Compaction, Mode, Table};

/// `validation_session(session_hash)`: proofs that an address is somebody's, by the BLAKE3 hash of the session id. Value:
/// `users.ValidationSessionRow`.
pub(crate) static VALIDATION_SESSION: Table = Table {
    name: "validation_session",
    partition: &[Column::blob("session_hash")],
    clustering: &[],
    mode: Mode::Conditional,
    compaction: Compaction::Leveled,
};
