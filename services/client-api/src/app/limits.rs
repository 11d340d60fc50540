//! How often callers may do things.

use std::{collections::HashMap, sync::Arc, time::Duration};

use banyan_core::{Clock, ServiceError};
use banyan_http::{Endpoint, Rate, RateLimiter};
use banyan_tenants::{
    Tenants,
    config::{RateLimit, RateLimits},
};
use moka::sync::Cache;
use ruma::{OwnedServerName, ServerName};

/// What is limited, each by a limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Message,
    Registration,
    TokenValidity,
    Login,
    FailedLogin,
    CreateRoom,
    Join,
    Invite,
    Other,
}

impl Kind {
    /// The limit that an endpoint counts against.
    pub(crate) fn of(endpoint: &Endpoint) -> Self {
        match endpoint.operation {
            "sendMessage" | "redactEvent" | "setRoomStateWithKey" | "ban" | "unban" | "kick" | "leaveRoom" => Self::Message,
            "register" | "checkUsernameAvailability" => Self::Registration,
            "registrationTokenValidity" => Self::TokenValidity,
            "login" => Self::Login,
            "createRoom" => Self::CreateRoom,
            "joinRoom" | "joinRoomById" | "knockRoom" => Self::Join,
            "inviteUser" => Self::Invite,
            _ => Self::Other,
        }
    }
}

/// The limits of every tenant.
#[derive(Debug)]
pub(crate) struct Limits {
    tenants: HashMap<OwnedServerName, RateLimiter<Kind>>,
    /// Accounts with too many wrong passwords, and when (on the monotonic clock) the next try is allowed.
    locked: Cache<String, Duration>,
    clock: Arc<dyn Clock>,
}

impl Limits {
    pub(crate) fn new(tenants: &Tenants, max_callers: u64, clock: &Arc<dyn Clock>) -> Self {
        let limiter = |limits: &RateLimits| RateLimiter::new(rates(limits), max_callers, clock.clone());
        let limiters = tenants.iter().map(|tenant| (tenant.name().to_owned(), limiter(&tenant.config().rate_limits)));
        Self { tenants: limiters.collect(), locked: Cache::new(max_callers), clock: clock.clone() }
    }

    /// Counts one request of `caller` (a user id or an address).
    ///
    /// # Errors
    /// M_LIMIT_EXCEEDED.
    pub(crate) fn check(&self, tenant: &ServerName, kind: Kind, caller: &str) -> Result<(), ServiceError> {
        self.tenants.get(tenant).map_or(Ok(()), |limiter| limiter.check(kind, caller))
    }

    /// Whether an account may be tried now.
    ///
    /// # Errors
    /// M_LIMIT_EXCEEDED after too many wrong passwords.
    pub(crate) fn check_account(&self, user_id: &str) -> Result<(), ServiceError> {
        let left = self.locked.get(user_id).unwrap_or_default().saturating_sub(self.clock.monotonic());
        if left.is_zero() { Ok(()) } else { Err(ServiceError::limit_exceeded("Too many failed logins", left)) }
    }

    /// Notes a wrong password.
    pub(crate) fn note_failure(&self, tenant: &ServerName, user_id: &str) {
        let wait = self.check(tenant, Kind::FailedLogin, user_id).err().and_then(|error| error.retry_after);
        if let Some(wait) = wait {
            self.locked.insert(user_id.to_owned(), self.clock.monotonic() + wait);
        }
    }
}

fn rates(limits: &RateLimits) -> Vec<(Kind, Rate)> {
    if !limits.enabled {
        return Vec::new();
    }
    let rate = |limit: RateLimit| Rate::new(limit.per_second, limit.burst);
    vec![
        (Kind::Message, rate(limits.message)),
        (Kind::Registration, rate(limits.registration)),
        (Kind::TokenValidity, rate(limits.registration_token_validity)),
        (Kind::Login, rate(limits.login)),
        (Kind::FailedLogin, rate(limits.failed_login)),
        (Kind::CreateRoom, rate(limits.create_room)),
        (Kind::Join, rate(limits.join)),
        (Kind::Invite, rate(limits.invite)),
        (Kind::Other, rate(limits.other)),
    ]
}
