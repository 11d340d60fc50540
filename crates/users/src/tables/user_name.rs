use banyan_store::{Column, Compaction, Mode, Table};

/// `user_name((scope, letter, bucket) | word, user_id)`: users by the words of their names ([`crate::user_search`]). The scope is a
/// server name, or empty for the users of all servers; the letter is the word's first; a letter's users lie in
/// [`crate::user_search::BUCKETS`] buckets. Value: empty.
pub(crate) static USER_NAME: Table = Table {
    name: "user_name",
    partition: &[Column::text("scope"), Column::text("letter"), Column::int("bucket")],
    clustering: &[Column::text("word"), Column::text("user_id")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
