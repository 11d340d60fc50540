//! Logs in by password (specification: Client-Server API, `POST /login`).

use banyan_core::ServiceError;
use banyan_proto::{
    users::Account,
    userserver::{LoginRequest, LoginResponse},
};
use zeroize::Zeroizing;

use super::{
    authenticate,
    command::{Command, active_account, deactivated, refuse_locked},
    entries,
    issue_token::{Wanted, issue, lifetime},
};
use crate::host::Inner;

/// Checks the password and issues a token.
pub(crate) async fn login(inner: &Inner, request: LoginRequest) -> Result<LoginResponse, ServiceError> {
    let password = Zeroizing::new(request.password);
    let command = Command::of_user(inner, request.caller)?;
    if !request.proved && !command.tenant.config().login.password {
        return Err(ServiceError::forbidden("Login by password is disabled"));
    }
    let mut wanted = Wanted {
        device_id: request.device_id,
        display_name: request.initial_device_display_name,
        remote_addr: request.remote_addr,
        lifetime: lifetime(&command, request.refreshable),
        oauth_client: request.oauth_client,
    };
    wanted.check()?;
    let shard = inner.shard_of(&command.user_id)?;
    shard.earlier(command.request_id).await?;
    let checked = if request.proved {
        active_account(inner, &command.user_id).await?
    } else {
        authenticate::by_password(inner, &command, password).await?
    };
    let mut turn = shard.turn(&command.user_id, command.tenant_name(), command.request_id).await?;
    // Hashing takes its time: the account may have changed meanwhile.
    let account = inner.shared.reader.account(&command.user_id).await?;
    let unchanged = |account: &Account| account.password_hash == checked.password_hash;
    let account = account.filter(unchanged).ok_or_else(authenticate::refused)?;
    if account.deactivated {
        return Err(deactivated());
    }
    refuse_locked(&account)?;
    // A retry stays on the device that the first try made.
    if let Some(device_id) = entries::device_of(&turn.earlier, &command.user_id) {
        wanted.device_id = device_id;
    }
    let issued = issue(inner, &command.user_id, account.kind(), &wanted).await?;
    turn.commit(issued.entries).await?;
    Ok(issued.answer)
}
