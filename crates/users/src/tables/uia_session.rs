use banyan_store::{Column, Compaction, Mode, Table};

/// `uia_session(session_hash)`: user-interactive authentication, by the BLAKE3 hash of the session id. Value: `users.UiaSessionRow`.
pub(crate) static UIA_SESSION: Table = Table {
    name: "uia_session",
    partition: &[Column::blob("session_hash")],
    clustering: &[],
    mode: Mode::Conditional,
    compaction: Compaction::Leveled,
};
