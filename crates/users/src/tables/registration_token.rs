use banyan_store::{Column, Compaction, Mode, Table};

/// `registration_token(tenant, token)`: uses of registration tokens. Value: `users.RegistrationTokenRow`.
pub(crate) static REGISTRATION_TOKEN: Table = Table {
    name: "registration_token",
    partition: &[Column::text("tenant"), Column::text("token")],
    clustering: &[],
    mode: Mode::Derived,
    compaction: Compaction::Leveled,
};
