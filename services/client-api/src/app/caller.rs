//! Who asks.

use std::{net::IpAddr, sync::Arc};

use banyan_core::{RequestId, ServiceError};
use banyan_proto::{roomserver, userserver};
use banyan_tenants::Tenant;
use banyan_users::TokenHash;
use bytes::Bytes;
use ruma::{DeviceId, OwnedUserId, UserId};

/// A request of nobody in particular: where it came from and for whom.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) request_id: RequestId,
    pub(crate) address: IpAddr,
}

/// A request of someone who is logged in.
#[derive(Clone, Debug)]
pub(crate) struct Requester {
    pub(crate) visitor: Visitor,
    pub(crate) user_id: OwnedUserId,
    /// Empty for tokens without a device.
    pub(crate) device_id: String,
    pub(crate) guest: bool,
    /// Their account is suspended.
    pub(crate) suspended: bool,
    /// An OAuth 2.0 grant gave the token: nothing that wants user-interactive authentication is done with it.
    pub(crate) oauth: bool,
    pub(crate) token: TokenHash,
}

impl Visitor {
    /// The id of a further command of the same request: an owner takes two commands of one id for one.
    pub(crate) fn step(&self, n: u64) -> Bytes {
        Bytes::copy_from_slice(&self.sub_request(n).to_bytes())
    }

    /// The same request, for a further command of it that has steps of its own.
    pub(crate) fn sub_request(&self, n: u64) -> RequestId {
        RequestId(self.request_id.0 ^ u128::from(n))
    }

    /// Server name of the tenant.
    pub(crate) fn server_name(&self) -> &str {
        self.tenant.name().as_str()
    }

    /// As the userserver wants it, for a command about `user_id`.
    pub(crate) fn about_user(&self, user_id: &str) -> userserver::Caller {
        userserver::Caller {
            tenant: self.server_name().to_owned(),
            user_id: user_id.to_owned(),
            device_id: String::new(),
            request_id: self.step(0),
        }
    }
}

impl Requester {
    /// As the roomserver wants it.
    pub(crate) fn to_rooms(&self) -> roomserver::Caller {
        roomserver::Caller {
            tenant: self.visitor.server_name().to_owned(),
            user_id: self.user_id.to_string(),
            device_id: self.device_id.clone(),
            request_id: self.visitor.step(0),
            guest: self.guest,
        }
    }

    /// As the roomserver wants it, for the `n`th further command of the same request.
    pub(crate) fn to_rooms_step(&self, n: u64) -> roomserver::Caller {
        roomserver::Caller { request_id: self.visitor.step(n), ..self.to_rooms() }
    }

    /// As the userserver wants it.
    pub(crate) fn to_users(&self) -> userserver::Caller {
        let device_id = self.device_id.clone();
        userserver::Caller { device_id, ..self.visitor.about_user(self.user_id.as_str()) }
    }

    /// The device, if the token has one.
    pub(crate) fn device(&self) -> Option<&DeviceId> {
        Some(self.device_id.as_str()).filter(|device_id| !device_id.is_empty()).map(Into::into)
    }

    /// Refuses what belongs to someone else.
    pub(crate) fn must_be(&self, user_id: &UserId) -> Result<(), ServiceError> {
        if self.user_id == user_id { Ok(()) } else { Err(ServiceError::forbidden("This belongs to another user")) }
    }
}
