//! Addresses and roles of a process.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HumanDuration;
use crate::Role;

/// This process: where it listens for its peers and for operators, and what it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NodeConfig {
    /// The roles to run: `client-api`, `roomserver`, `userserver`, `sync`, `federation-api`.
    pub roles: Vec<Role>,
    /// Where the gRPC server for the other processes listens. It has no authentication: keep it inside the cluster's network.
    pub listen: SocketAddr,
    /// The address, `host:port`, under which the other processes reach `listen`. By default what `listen` says; needed if that is
    /// `0.0.0.0` or `[::]`. A process that keeps its address over a restart keeps its share of the shards.
    pub advertise: Option<String>,
    /// Where /health/live, /health/ready and /metrics are served. Not for the public.
    pub admin_listen: SocketAddr,
    /// Details of the gRPC connections between processes.
    pub grpc: GrpcConfig,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            roles: Role::ALL.to_vec(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8010)),
            advertise: None,
            admin_listen: SocketAddr::from(([127, 0, 0, 1], 8011)),
            grpc: GrpcConfig::default(),
        }
    }
}

/// Details of the gRPC connections between processes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GrpcConfig {
    /// How long to try to connect before a peer counts as unreachable.
    pub connect_timeout: HumanDuration,
    /// How often a connection is checked, also an idle one.
    pub keepalive_interval: HumanDuration,
    /// How long to wait for the answer to such a check before the connection is given up.
    pub keepalive_timeout: HumanDuration,
    /// Requests that one connection may have under way.
    pub max_concurrent_streams: u32,
}

impl Default for GrpcConfig {
    fn default() -> Self {
        Self {
            connect_timeout: HumanDuration::millis(500),
            keepalive_interval: HumanDuration::secs(2),
            keepalive_timeout: HumanDuration::secs(2),
            max_concurrent_streams: 10_000,
        }
    }
}
