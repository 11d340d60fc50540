//! What can be set.

use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{StoreError, check::is_cql_name};

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
        Self { contact_points, keyspace: keyspace(), replication: replication(), datacenter: None, user: None, password_file: None }
    }
}

impl CqlConfig {
    /// Refuses what cannot work before anything is asked of the database.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let setup = |what: &str| Err(StoreError::Setup(format!("the store's configuration: {what}")));
        if self.contact_points.is_empty() {
            return setup("contact_points names no node");
        }
        if !is_cql_name(&self.keyspace) {
            return setup("keyspace must be 1 to 48 of a-z, 0-9 and _, and begin with a letter");
        }
        if self.user.is_some() != self.password_file.is_some() {
            return setup("user and password_file go together");
        }
        if !self.replication.contains_key("class") {
            return setup("replication needs a class");
        }
        Ok(())
    }
}

fn keyspace() -> String {
    "banyan".to_owned()
}

fn replication() -> BTreeMap<String, String> {
    [("class", "NetworkTopologyStrategy"), ("replication_factor", "3")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}
