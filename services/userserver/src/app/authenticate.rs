//! Whether a password is an account's.

use banyan_core::ServiceError;
use banyan_proto::users::Account;
use zeroize::Zeroizing;

use super::command::{Command, deactivated};
use crate::host::Inner;

/// The account that the password opens, as it was before the turn. Nobody learns whether an account exists: an unknown user and a
/// wrong password take the same time and get the same answer, and that an account is deactivated is told to whoever knows its password.
///
/// # Errors
/// `M_FORBIDDEN`, `M_USER_DEACTIVATED`, `M_LIMIT_EXCEEDED` after too many wrong ones.
pub(super) async fn by_password(inner: &Inner, command: &Command, password: Zeroizing<String>) -> Result<Account, ServiceError> {
    let shared = &inner.shared;
    let attempt = shared.attempts.begin(&command.user_id, &command.tenant.config().rate_limits)?;
    let account = shared.reader.account(&command.user_id).await?;
    let hash = account.as_ref().map(|account| account.password_hash.clone()).filter(|hash| !hash.is_empty());
    let right = shared.passwords.verify(password, hash).await?;
    shared.metrics.logged_in(command.tenant_name(), right);
    let account = account.filter(|_| right).ok_or_else(refused)?;
    attempt.forgive();
    if account.deactivated { Err(deactivated()) } else { Ok(account) }
}

/// The answer to a wrong password and to a user that does not exist.
pub(super) fn refused() -> ServiceError {
    ServiceError::forbidden("Invalid username or password")
}
