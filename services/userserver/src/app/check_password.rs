//! Checks a password as a stage of user-interactive authentication (specification: Client-Server API, "Password-based").

use banyan_core::ServiceError;
use banyan_proto::userserver::{CheckPasswordRequest, CheckPasswordResponse};
use zeroize::Zeroizing;

use super::{authenticate, command::Command};
use crate::host::Inner;

/// Checks the password of `caller.user_id`, under the same limit as logging in.
pub(crate) async fn check_password(inner: &Inner, request: CheckPasswordRequest) -> Result<CheckPasswordResponse, ServiceError> {
    let password = Zeroizing::new(request.password);
    let command = Command::of_user(inner, request.caller)?;
    let shard = inner.shard_of(&command.user_id)?;
    // After this the rows show everything that was ever committed.
    shard.earlier(command.request_id).await?;
    authenticate::by_password(inner, &command, password).await?;
    Ok(CheckPasswordResponse {})
}
