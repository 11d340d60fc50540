//! Uses of registration tokens (specification: Client-Server API, "Token-authenticated registration").

use std::time::Duration;

use banyan_core::ServiceError;
use banyan_proto::{
    users::{RegistrationTokenUsed, UserEntry, user_entry::Kind},
    userserver::{UseRegistrationTokenRequest, UseRegistrationTokenResponse, use_registration_token_request::Step},
};
use banyan_users::{
    registration_token::{self, Limits, Outcome},
    token,
};

use super::command::{Command, malformed};
use crate::host::Inner;

/// Holds, completes or releases a use of a token for a registration's session; says whether the token allows it. The token's shard owns
/// its uses, so they never exceed what is allowed, whatever replica asks. Each step may be repeated.
pub(crate) async fn use_registration_token(
    inner: &Inner,
    request: UseRegistrationTokenRequest,
) -> Result<UseRegistrationTokenResponse, ServiceError> {
    let step = request.step();
    let command = Command::of_tenant(inner, request.caller)?;
    if request.session.is_empty() {
        return Err(malformed("no session"));
    }
    let Some(token) = command.tenant.registration_token(&request.token) else {
        return Ok(UseRegistrationTokenResponse { valid: false });
    };
    let limits = Limits { uses_allowed: token.uses_allowed, expires: token.expires };
    let (tenant, token) = (command.tenant_name(), request.token);
    let name = token::registration_token_name(tenant, &token);
    let shard = inner.shard_of(&name)?;
    let mut turn = shard.turn(&name, tenant, command.request_id).await?;
    let row = inner.shared.reader.registration_token(tenant, &token).await?.unwrap_or_default();
    let now = inner.shared.clock.now();
    let outcome = match step {
        Step::Hold => registration_token::hold(row, limits, &request.session, now),
        Step::Complete => registration_token::complete(row, limits, &request.session, now),
        Step::Release => registration_token::release(row, limits, &request.session, now),
    };
    match outcome {
        Outcome::Changed(row) => {
            let used = RegistrationTokenUsed { tenant: tenant.to_owned(), token, row: Some(row) };
            turn.commit(vec![UserEntry { user_id: String::new(), kind: Some(Kind::RegistrationToken(used)) }]).await?;
            Ok(UseRegistrationTokenResponse { valid: true })
        }
        Outcome::Same => Ok(UseRegistrationTokenResponse { valid: true }),
        Outcome::Invalid => Ok(UseRegistrationTokenResponse { valid: false }),
        Outcome::Busy => {
            Err(ServiceError::limit_exceeded("Too many registrations are under way with this token", Duration::from_secs(60)))
        }
    }
}
