//! How often callers may do things.

use std::{collections::HashMap, sync::Arc};

use banyan_core::{Clock, ServiceError};
use banyan_http::{Endpoint, Rate, RateLimiter};
use banyan_tenants::{
    Tenant, Tenants,
    config::{RateLimit, RateLimits},
};
use ruma::{OwnedServerName, ServerName};

use super::App;

/// What is limited, each by a limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Message,
    Registration,
    TokenValidity,
    Login,
    CreateRoom,
    Join,
    Invite,
    Other,
}

impl Kind {
    /// Its name and rate, where it holds for all replicas together: what guesses secrets and makes accounts.
    fn shared(self, limits: &RateLimits) -> Option<(&'static str, RateLimit)> {
        match self {
            Self::Login => Some(("login", limits.login)),
            Self::Registration => Some(("registration", limits.registration)),
            Self::TokenValidity => Some(("registration_token_validity", limits.registration_token_validity)),
            _ => None,
        }
    }

    /// The limit that an endpoint counts against.
    pub(crate) fn of(endpoint: &Endpoint) -> Self {
        match endpoint.operation {
            "sendMessage"
            | "redactEvent"
            | "scheduleEvent"
            | "sendDelayedEvent"
            | "setRoomStateWithKey"
            | "ban"
            | "unban"
            | "kick"
            | "leaveRoom" => Self::Message,
            "register"
            | "checkUsernameAvailability"
            | "requestTokenTo3PIDEmail"
            | "requestTokenToRegisterEmail"
            | "requestTokenToResetPasswordEmail" => Self::Registration,
            "registrationTokenValidity" => Self::TokenValidity,
            "login"
            | "authFallback"
            | "submitAuthFallback"
            | "registerOauthClient"
            | "beginDeviceGrant"
            | "emailLink"
            | "confirmEmail" => Self::Login,
            "createRoom" | "upgradeRoom" => Self::CreateRoom,
            "joinRoom" | "joinRoomById" | "knockRoom" => Self::Join,
            "inviteBy3PID" | "inviteUser" => Self::Invite,
            _ => Self::Other,
        }
    }
}

/// The limits of every tenant.
#[derive(Debug)]
pub(crate) struct Limits {
    tenants: HashMap<OwnedServerName, RateLimiter<Kind>>,
}

impl Limits {
    pub(crate) fn new(tenants: &Tenants, max_callers: u64, clock: &Arc<dyn Clock>) -> Self {
        let limiter = |limits: &RateLimits| RateLimiter::new(rates(limits), max_callers, clock.clone());
        let limiters = tenants.iter().map(|tenant| (tenant.name().to_owned(), limiter(&tenant.config().rate_limits)));
        Self { tenants: limiters.collect() }
    }

    /// Counts one request of `caller` (a user id or an address).
    ///
    /// # Errors
    /// M_LIMIT_EXCEEDED.
    pub(crate) fn check(&self, tenant: &ServerName, kind: Kind, caller: &str) -> Result<(), ServiceError> {
        self.tenants.get(tenant).map_or(Ok(()), |limiter| limiter.check(kind, caller))
    }
}

impl App {
    /// Counts one request of `caller`, here and, where that matters, together with the other replicas. A flood is refused here and costs
    /// no write.
    ///
    /// # Errors
    /// M_LIMIT_EXCEEDED; or the store failed.
    pub(crate) async fn limit(&self, tenant: &Tenant, kind: Kind, caller: &str) -> Result<(), ServiceError> {
        self.limits.check(tenant.name(), kind, caller)?;
        let limits = &tenant.config().rate_limits;
        let Some((what, rate)) = kind.shared(limits).filter(|_| limits.enabled) else { return Ok(()) };
        self.allowances.take(tenant.name().as_str(), what, caller, rate.per_second, rate.burst).await
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
        (Kind::CreateRoom, rate(limits.create_room)),
        (Kind::Join, rate(limits.join)),
        (Kind::Invite, rate(limits.invite)),
        (Kind::Other, rate(limits.other)),
    ]
}
