//! Mails to users, over SMTP. Each is sent while somebody waits for it: there is no queue, and a mail server that is slow or away costs an
//! answer and nothing else.

mod letter;
mod mailer;
mod outbox;

pub use letter::Mail;
pub use lettre::Address;
pub use mailer::SetupError;
pub use outbox::Outbox;
