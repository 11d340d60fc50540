use banyan_store::{Column, Compaction, Mode, Table};

/// `browser_session(session_hash)`: people who are signed in on the pages, by the BLAKE3 hash of their cookie. Value:
/// `users.BrowserSessionRow`.
pub(crate) static BROWSER_SESSION: Table = Table {
    name: "browser_session",
    partition: &[Column::blob("session_hash")],
    clustering: &[],
    mode: Mode::Conditional,
    compaction: Compaction::Leveled,
};
