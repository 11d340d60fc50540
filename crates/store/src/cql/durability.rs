//! Refuses a database that would forget what it promised.
//!
//! Cassandra's default acknowledges conditional writes up to ten seconds before they reach the disk: a node that loses power forgets
//! promises it made, and two owners of a log may both believe they appended. ScyllaDB syncs conditional writes by itself; there the tables
//! must not live on tablets.

use scylla::{
    policies::load_balancing::{NodeIdentifier, SingleTargetLoadBalancingPolicy},
    statement::{Consistency, unprepared::Statement},
};

use super::{errors::Operation, session::Session, values::rows};
use crate::StoreError;

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Database {
    Cassandra,
    Scylla,
}

impl Database {
    pub(super) async fn detect(session: &Session) -> Result<Self, StoreError> {
        let cql = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'system' AND table_name = 'scylla_local'";
        Ok(if session.inspect(cql, ()).await?.is_empty() { Self::Cassandra } else { Self::Scylla })
    }
}

/// Checks the settings of every node that is up.
pub(super) async fn check_cassandra(session: &Session) -> Result<(), StoreError> {
    let state = session.driver().get_cluster_state();
    for node in state.get_nodes_info() {
        let mut statement =
            Statement::new("SELECT name, value FROM system_views.settings WHERE name IN ('commitlog_sync', 'paxos_variant')");
        statement.set_consistency(Consistency::One);
        statement.set_is_idempotent(true);
        let only = SingleTargetLoadBalancingPolicy::new(NodeIdentifier::Node(node.clone()), None);
        statement.set_load_balancing_policy(Some(only));
        let settings = match session.driver().query_unpaged(statement, ()).await {
            Ok(settings) => rows(settings)?,
            Err(error) if node.is_connected() => {
                return Err(match Operation::Read.failed(&error) {
                    StoreError::Refused(what) => StoreError::Setup(format!(
                        "the database does not show its settings ({what}); Banyan needs Cassandra 4.1 or newer, or ScyllaDB, and a \
                         user who may read system_views.settings"
                    )),
                    other => other,
                });
            }
            Err(error) => {
                tracing::warn!(node = %node.address, %error, "a node is down; its settings were not checked");
                continue;
            }
        };
        let mut found = Vec::new();
        for mut setting in settings {
            found.push((setting.text()?, setting.text()?));
        }
        if let Some(problem) = problem(&found) {
            return Err(StoreError::Setup(format!("the database node {} {problem}", node.address)));
        }
    }
    Ok(())
}

fn problem(settings: &[(String, String)]) -> Option<String> {
    let value = |name: &str| settings.iter().find(|(found, _)| found == name).map_or("not known", |(_, value)| value.as_str());
    let sync = value("commitlog_sync");
    if !["batch", "group"].contains(&sync) {
        return Some(format!(
            "has commitlog_sync {sync}: a crash would make it forget writes it acknowledged. Set `commitlog_sync: batch` (or `group`) in \
             cassandra.yaml on every node, remove commitlog_sync_period, and restart them one by one"
        ));
    }
    let paxos = value("paxos_variant");
    if paxos != "v2" {
        return Some(format!(
            "has paxos_variant {paxos}: Banyan needs linearizable conditional writes and reads. Set `paxos_variant: v2` in cassandra.yaml on \
             every node (Cassandra 4.1 or newer) and restart them one by one"
        ));
    }
    None
}

/// ScyllaDB: conditional writes and tablets do not go together.
pub(super) async fn check_scylla(session: &Session) -> Result<(), StoreError> {
    let cql = "SELECT initial_tablets FROM system_schema.scylla_keyspaces WHERE keyspace_name = ?";
    let rows = match session.inspect(cql, (session.keyspace(),)).await {
        Ok(rows) => rows,
        // A version that does not know tablets.
        Err(StoreError::Refused(_)) => return Ok(()),
        Err(error) => return Err(error),
    };
    for mut row in rows {
        if row.is_set() {
            return Err(StoreError::Setup(format!(
                "the keyspace {} uses tablets, on which ScyllaDB's conditional writes are not synced. Make one without: CREATE KEYSPACE … WITH \
                 replication = … AND tablets = {{'enabled': false}}",
                session.keyspace()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_durable_settings_pass() {
        let settings = |sync: &str, paxos: &str| {
            [("commitlog_sync".to_owned(), sync.to_owned()), ("paxos_variant".to_owned(), paxos.to_owned())]
        };
        assert_eq!(problem(&settings("batch", "v2")), None);
        assert_eq!(problem(&settings("group", "v2")), None);
        assert!(problem(&settings("periodic", "v2")).is_some_and(|text| text.contains("commitlog_sync: batch")));
        assert!(problem(&settings("batch", "v1")).is_some_and(|text| text.contains("paxos_variant: v2")));
        assert!(problem(&settings("batch", "v2_without_linearizable_reads")).is_some());
        assert!(problem(&[]).is_some());
    }
}
