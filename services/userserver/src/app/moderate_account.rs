//! Locks and suspends accounts (specification: Client-Server API, "Account moderation").

use banyan_core::ServiceError;
use banyan_proto::{
    users::Account,
    userserver::{ModerateAccountRequest, ModerateAccountResponse, moderate_account_request::Change},
};

use super::{
    command::{Command, malformed},
    entries,
};
use crate::host::Inner;

/// Sets or lifts it. Who may was decided at the edge; that the account is no administrator's is decided here. What is so already costs no
/// entry.
pub(crate) async fn moderate_account(
    inner: &Inner,
    request: ModerateAccountRequest,
) -> Result<ModerateAccountResponse, ServiceError> {
    let change = request.change.ok_or_else(|| malformed("no change"))?;
    let command = Command::of_user(inner, request.caller)?;
    let user_id = command.user_id.as_str();
    let shard = inner.shard_of(user_id)?;
    let mut turn = shard.turn(user_id, command.tenant_name(), command.request_id).await?;
    let account = inner.shared.reader.account(user_id).await?.filter(|account| !account.deactivated);
    let account = account.ok_or_else(|| ServiceError::not_found("There is no such user"))?;
    if account.admin {
        return Err(ServiceError::forbidden("The user is an administrator"));
    }
    let changed = match change {
        Change::Locked(locked) => Account { locked, ..account.clone() },
        Change::Suspended(suspended) => Account { suspended, ..account.clone() },
    };
    if changed != account {
        tracing::info!(user_id, locked = changed.locked, suspended = changed.suspended, "account moderated");
        turn.commit(vec![entries::account(user_id, changed)]).await?;
    }
    Ok(ModerateAccountResponse {})
}
