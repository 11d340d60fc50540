use banyan_store::{Column, Compaction, Mode, Table};

/// `oauth_client(client_id)`: apps that registered themselves. Value: `users.OauthClientRow`.
pub(crate) static OAUTH_CLIENT: Table = Table {
    name: "oauth_client",
    partition: &[Column::text("client_id")],
    clustering: &[],
    mode: Mode::Conditional,
    compaction: Compaction::Leveled,
};
