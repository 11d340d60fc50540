//! The roles a process can have, and which of them call which.

use std::{fmt, str::FromStr};

use banyan_core::LogKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A part of the homeserver that scales on its own. A process runs any set of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The client-server HTTP API. Owns nothing.
    ClientApi,
    /// Owns rooms.
    Roomserver,
    /// Owns users.
    Userserver,
    /// Answers what changed for a user. Owns nothing that outlives a connection.
    Sync,
    /// The inbound server-server HTTP API. Owns nothing.
    FederationApi,
}

impl Role {
    /// Every role: what a process without a choice runs.
    pub const ALL: [Self; 5] = [Self::ClientApi, Self::Roomserver, Self::Userserver, Self::Sync, Self::FederationApi];

    /// The name in configuration and messages, for example `client-api`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientApi => "client-api",
            Self::Roomserver => "roomserver",
            Self::Userserver => "userserver",
            Self::Sync => "sync",
            Self::FederationApi => "federation-api",
        }
    }

    /// The roles this one calls synchronously. The graph has no cycle; what flows the other way is read from a log.
    #[must_use]
    pub const fn calls(self) -> &'static [Self] {
        match self {
            Self::ClientApi => &[Self::Roomserver, Self::Userserver, Self::Sync],
            Self::FederationApi | Self::Sync => &[Self::Roomserver, Self::Userserver],
            Self::Userserver => &[Self::Roomserver],
            Self::Roomserver => &[],
        }
    }

    /// The kind of log this role owns shards of.
    #[must_use]
    pub const fn owns(self) -> Option<LogKind> {
        match self {
            Self::Roomserver => Some(LogKind::Rooms),
            Self::Userserver => Some(LogKind::Users),
            Self::ClientApi | Self::Sync | Self::FederationApi => None,
        }
    }

    /// The role that owns the shards of a kind.
    #[must_use]
    pub const fn owner_of(kind: LogKind) -> Self {
        match kind {
            LogKind::Rooms => Self::Roomserver,
            LogKind::Users => Self::Userserver,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no role is named {0:?}; there are client-api, roomserver, userserver, sync and federation-api")]
pub struct ParseRoleError(String);

impl FromStr for Role {
    type Err = ParseRoleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| ParseRoleError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
        let error = "sink".parse::<Role>().unwrap_err().to_string();
        for role in Role::ALL {
            assert!(error.contains(role.as_str()), "{error}");
        }
    }

    #[test]
    fn the_call_graph_has_no_cycle() {
        fn depth(role: Role, path: &mut Vec<Role>) {
            assert!(!path.contains(&role), "{role} is called in a circle: {path:?}");
            path.push(role);
            for callee in role.calls() {
                depth(*callee, path);
            }
            path.pop();
        }
        for role in Role::ALL {
            depth(role, &mut Vec::new());
        }
    }

    #[test]
    fn each_kind_of_log_has_its_one_role() {
        for kind in [LogKind::Rooms, LogKind::Users] {
            assert_eq!(Role::owner_of(kind).owns(), Some(kind));
            assert_eq!(Role::ALL.iter().filter(|role| role.owns() == Some(kind)).count(), 1);
        }
    }
}
