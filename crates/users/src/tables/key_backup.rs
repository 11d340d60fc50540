use banyan_store::{Column, Compaction, Mode, Table};

/// `key_backup(user_id | version)`: the versions of a user's backup of room keys. Value: `users.KeyBackup`. At most
/// [`crate::key_backup::MAX_VERSIONS`] rows per partition.
pub(crate) static KEY_BACKUP: Table = Table {
    name: "key_backup",
    partition: &[Column::text("user_id")],
    clustering: &[Column::int("version")],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
