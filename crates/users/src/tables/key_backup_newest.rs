use banyan_store::{Column, Compaction, Mode, Table};

/// `key_backup_newest(user_id)`: the last version of a user's backup that was made, also if it is gone. Value: `users.KeyBackupNewest`.
pub(crate) static KEY_BACKUP_NEWEST: Table = Table {
    name: "key_backup_newest",
    partition: &[Column::text("user_id")],
    clustering: &[],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
