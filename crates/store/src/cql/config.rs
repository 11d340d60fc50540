//! What can be set.

use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// ScyllaDB or Apache Cassandra.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CqlConfig {
    /// Some nodes to find the others by, each `host` or `host:port`. The port is 9042 if none is given.
    pub contact_points: Vec<String>,
    /// The CQL keyspace; it is made if there is none. Default `banyan`.
    #[serde(default = "keyspace")]
    pub keyspace: String,
    /// The replication of a keyspace that is made, as in `CREATE KEYSPACE … WITH replication`. An existing keyspace is left as it is.
    /// Default: `{ class = "NetworkTopologyStrategy", replication_factor = "3" }`.
    #[serde(default = "replication")]
    pub replication: BTreeMap<String, String>,
    /// The datacenter to work in. If given, quorums are counted in it alone (`LOCAL_QUORUM`, `LOCAL_SERIAL`), so every Banyan process of
    /// the installation must name the same one: two processes that count in different datacenters do not see each other's conditional
    /// writes. Other datacenters may hold copies. Default: quorums over all nodes.
    #[serde(default)]
    pub datacenter: Option<String>,
    /// The user to log in as. Default: no login.
    #[serde(default)]
    pub user: Option<String>,
    /// A file that holds the user's password. Required with `user`.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
}

impl CqlConfig {
    /// The defaults, with these contact points.
    #[must_use]
    pub fn new(contact_points: Vec<String>) -> Self {
        Self {
            contact_points,
            keyspace: keyspace(),
            replication: replication(),
            datacenter: None,
            user: None,
            password_file: None,
        }
    }
}

fn keyspace() -> String {
    "banyan".to_owned()
}

fn replication() -> BTreeMap<String, String> {
    [("class", "NetworkTopologyStrategy"), ("replication_factor", "3")].map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}
