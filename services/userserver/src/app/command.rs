//! What every command says about its caller.

use std::sync::Arc;

use banyan_core::{ErrorCode, RequestId, ServiceError};
use banyan_proto::{users::Account, userserver::Caller};
use banyan_tenants::Tenant;
use banyan_users::user_id;

use crate::host::Inner;

/// A checked caller.
pub(crate) struct Command {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) user_id: String,
    pub(crate) request_id: RequestId,
}

impl Command {
    /// The caller of a command about a user of one of our tenants.
    pub(crate) fn of_user(inner: &Inner, caller: Option<Caller>) -> Result<Self, ServiceError> {
        let command = Self::of_tenant(inner, caller)?;
        if user_id::server_name(&command.user_id) != Some(command.tenant.name().as_str()) {
            return Err(ServiceError::invalid_param("The user is not of this server"));
        }
        Ok(command)
    }

    /// The caller of a command about something else that a tenant has.
    pub(crate) fn of_tenant(inner: &Inner, caller: Option<Caller>) -> Result<Self, ServiceError> {
        let caller = caller.ok_or_else(|| malformed("no caller"))?;
        let request_id = RequestId::from_slice(&caller.request_id).ok_or_else(|| malformed("no request id"))?;
        let tenant = inner.shared.tenants.get(&caller.tenant).ok_or_else(|| ServiceError::not_found("No such server name here"))?;
        Ok(Self { tenant, user_id: caller.user_id, request_id })
    }

    pub(crate) fn tenant_name(&self) -> &str {
        self.tenant.name().as_str()
    }
}

/// A message that no client of ours sends.
pub(crate) fn malformed(what: &str) -> ServiceError {
    ServiceError::new(ErrorCode::InvalidArgument, format!("malformed command: {what}"))
}

/// The account of a caller who wants to change something of theirs.
pub(crate) async fn active_account(inner: &Inner, user_id: &str) -> Result<Account, ServiceError> {
    match inner.shared.reader.account(user_id).await? {
        Some(account) if account.deactivated => Err(deactivated()),
        Some(account) => Ok(account),
        None => Err(ServiceError::not_found("There is no such user")),
    }
}

/// Refuses a locked account: 401 `M_USER_LOCKED`, a soft logout.
pub(crate) fn refuse_locked(account: &Account) -> Result<(), ServiceError> {
    if !account.locked {
        return Ok(());
    }
    let error = ServiceError::matrix(ErrorCode::Unauthenticated, "M_USER_LOCKED", "This account has been locked");
    Err(error.with_extra(r#"{"soft_logout":true}"#.to_owned()))
}

/// `M_USER_DEACTIVATED`, 403.
pub(crate) fn deactivated() -> ServiceError {
    ServiceError::matrix(ErrorCode::Forbidden, "M_USER_DEACTIVATED", "This account has been deactivated")
}
