use banyan_store::{Column, Compaction, Mode, Table};

/// `mail_allowance(tenant, address)`: mails that an address may still be sent. Value: `users.MailAllowanceRow`.
pub(crate) static MAIL_ALLOWANCE: Table = Table {
    name: "mail_allowance",
    partition: &[Column::text("tenant"), Column::text("address")],
    clustering: &[],
    mode: Mode::Conditional,
    compaction: Compaction::Leveled,
};
