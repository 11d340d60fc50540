//! How often things may be done.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limits per user, or per address where nobody is logged in. Each process of the client API counts for itself, but for logins,
/// registrations, tries of tokens and passwords, and mails: these are counted together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimits {
    /// Off lets everything through: for tests and load generators.
    pub enabled: bool,
    /// Sending messages, state and redactions, per user.
    pub message: RateLimit,
    /// Making accounts, per address.
    pub registration: RateLimit,
    /// Checking whether a registration token is valid, per address.
    pub registration_token_validity: RateLimit,
    /// Logging in, per address.
    pub login: RateLimit,
    /// Trying a wrong password, per account.
    pub failed_login: RateLimit,
    /// Mails to an address, whoever asks for them.
    pub mail: RateLimit,
    /// Making rooms, per user.
    pub create_room: RateLimit,
    /// Joining and knocking, per user.
    pub join: RateLimit,
    /// Inviting, per user.
    pub invite: RateLimit,
    /// All other requests, per user.
    pub other: RateLimit,
}

/// A limit: so many at once, then so many a second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// How many a second in the long run; above zero.
    pub per_second: f64,
    /// How many at once; at least one.
    pub burst: u32,
}

impl RateLimit {
    const fn new(per_second: f64, burst: u32) -> Self {
        Self { per_second, burst }
    }
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            enabled: true,
            message: RateLimit::new(5.0, 50),
            registration: RateLimit::new(0.2, 5),
            registration_token_validity: RateLimit::new(0.2, 5),
            login: RateLimit::new(0.2, 10),
            failed_login: RateLimit::new(0.2, 5),
            mail: RateLimit::new(1.0 / 600.0, 5),
            create_room: RateLimit::new(0.5, 10),
            join: RateLimit::new(1.0, 20),
            invite: RateLimit::new(0.5, 20),
            other: RateLimit::new(50.0, 200),
        }
    }
}

impl RateLimits {
    /// Every limit with its option's name.
    pub(crate) fn all(&self) -> [(&'static str, RateLimit); 10] {
        [
            ("message", self.message),
            ("registration", self.registration),
            ("registration_token_validity", self.registration_token_validity),
            ("login", self.login),
            ("failed_login", self.failed_login),
            ("mail", self.mail),
            ("create_room", self.create_room),
            ("join", self.join),
            ("invite", self.invite),
            ("other", self.other),
        ]
    }
}
