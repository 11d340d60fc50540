//! Who asks for something.

use std::sync::Arc;

use banyan_core::{RequestId, ServiceError};
use banyan_proto::roomserver as proto;
use ruma::{OwnedUserId, UserId};

/// Who asks, checked.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) tenant: Arc<str>,
    pub(crate) user_id: OwnedUserId,
    pub(crate) device_id: String,
    pub(crate) request_id: Option<RequestId>,
    pub(crate) guest: bool,
}

impl Caller {
    pub(crate) fn read(caller: Option<proto::Caller>) -> Result<Self, ServiceError> {
        let caller = caller.ok_or_else(|| ServiceError::invalid_param("the caller is missing"))?;
        let user_id = UserId::parse(caller.user_id.as_str())
            .map_err(|error| ServiceError::invalid_param(format!("the caller's user id: {error}")))?;
        if user_id.server_name() != caller.tenant.as_str() {
            return Err(ServiceError::forbidden("the caller is not a user of this server"));
        }
        let request_id = match caller.request_id.len() {
            0 => None,
            _ => Some(
                RequestId::from_slice(&caller.request_id)
                    .ok_or_else(|| ServiceError::invalid_param("a request id has 16 bytes"))?,
            ),
        };
        Ok(Self { tenant: caller.tenant.into(), user_id, device_id: caller.device_id, request_id, guest: caller.guest })
    }
}
