use banyan_store::{Column, Compaction, Mode, Table};

/// `oauth_approval(user_id)`: users who let an app replace their cross-signing keys. Value: `users.OauthApprovalRow`.
pub(crate) static OAUTH_APPROVAL: Table = Table {
    name: "oauth_approval",
    partition: &[Column::text("user_id")],
    clustering: &[],
    mode: Mode::Conditional,
    compaction: Compaction::Leveled,
};
