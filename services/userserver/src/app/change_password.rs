//! Replaces a password (specification: Client-Server API, `POST /account/password`).

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::{
    users::Account,
    userserver::{ChangePasswordRequest, ChangePasswordResponse},
};
use zeroize::Zeroizing;

use super::{
    command::{Command, active_account},
    end_devices::end_devices,
    entries,
};
use crate::host::Inner;

/// Sets the password, then ends every session but the caller's if that is wanted. Who may was decided at the edge. Repeated under the
/// same request id it ends the sessions that the first try left.
pub(crate) async fn change_password(inner: &Inner, request: ChangePasswordRequest) -> Result<ChangePasswordResponse, ServiceError> {
    let password = Zeroizing::new(request.new_password);
    let kept = request.caller.as_ref().map(|caller| caller.device_id.clone()).unwrap_or_default();
    let command = Command::of_user(inner, request.caller)?;
    if password.is_empty() {
        return Err(ServiceError::matrix(ErrorCode::InvalidArgument, "M_WEAK_PASSWORD", "The password is empty"));
    }
    let shard = inner.shard_of(&command.user_id)?;
    let password_hash = inner.shared.passwords.hash(password).await?;
    let mut turn = shard.turn(&command.user_id, command.tenant_name(), command.request_id).await?;
    if turn.earlier.is_empty() {
        let account = active_account(inner, &command.user_id).await?;
        turn.commit(vec![entries::account(&command.user_id, Account { password_hash, ..account })]).await?;
    }
    if request.logout_devices {
        let mut devices = inner.shared.reader.devices(&command.user_id).await?;
        devices.remove(&kept);
        end_devices(inner, turn, &command.user_id, devices).await?;
    }
    Ok(ChangePasswordResponse {})
}
