//! The session with the database: consistency, timeouts, prepared statements.

use std::{collections::HashMap, fs, sync::Arc, time::Duration};

use parking_lot::RwLock;
use scylla::{
    client::{execution_profile::ExecutionProfile, session::Session as DriverSession, session_builder::SessionBuilder},
    policies::{load_balancing::DefaultPolicy, retry::FallthroughRetryPolicy},
    response::{PagingState, query_result::QueryResult},
    serialize::{batch::BatchValues, row::SerializeRow},
    statement::{Consistency, SerialConsistency, batch::Batch, prepared::PreparedStatement, unprepared::Statement},
};
use tokio::time::timeout;

use super::{
    CqlConfig,
    errors::{Operation, not_connected, not_prepared, unreadable},
    values::{Columns, rows},
};
use crate::StoreError;

/// When a request is given up: longer than the server's own timeouts, which say more.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Rows that the server sends at a time.
const PAGE: i32 = 500;

/// What a statement is, and with it how it may fail and be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Read at QUORUM.
    Read,
    /// Read at SERIAL.
    SerialRead,
    /// Timestamped write: may be sent again.
    Write,
    /// Conditional write: never sent again by the driver, for the second one would be told of the first one's effect.
    Conditional,
}

impl Kind {
    const fn operation(self) -> Operation {
        match self {
            Self::Read | Self::SerialRead => Operation::Read,
            Self::Write | Self::Conditional => Operation::Write,
        }
    }
}

/// A session. Statements are prepared when they are first used and kept; there are as many as the code has.
pub(super) struct Session {
    driver: DriverSession,
    keyspace: String,
    serial: Consistency,
    prepared: RwLock<HashMap<String, PreparedStatement>>,
}

impl Session {
    pub(super) async fn connect(config: &CqlConfig) -> Result<Self, StoreError> {
        // Quorums of one datacenter overlap only with each other, so both kinds must be counted alike.
        let (quorum, serial) = match config.datacenter {
            Some(_) => (Consistency::LocalQuorum, SerialConsistency::LocalSerial),
            None => (Consistency::Quorum, SerialConsistency::Serial),
        };
        let mut balancing = DefaultPolicy::builder().token_aware(true);
        if let Some(datacenter) = &config.datacenter {
            balancing = balancing.prefer_datacenter(datacenter.clone()).permit_dc_failover(false);
        }
        let profile = ExecutionProfile::builder()
            .consistency(quorum)
            .serial_consistency(Some(serial))
            .request_timeout(Some(REQUEST_TIMEOUT))
            .load_balancing_policy(balancing.build())
            .speculative_execution_policy(None)
            .build();
        let mut builder = SessionBuilder::new()
            .known_nodes(&config.contact_points)
            .default_execution_profile_handle(profile.into_handle())
            .connection_timeout(Duration::from_secs(3))
            .keepalive_interval(Duration::from_secs(5))
            .keepalive_timeout(Duration::from_secs(5))
            .keyspaces_to_fetch([&config.keyspace])
            .metadata_request_clientside_timeout(REQUEST_TIMEOUT)
            .metadata_request_serverside_timeout(REQUEST_TIMEOUT)
            .schema_agreement_interval(Duration::from_millis(50))
            .schema_agreement_timeout(Duration::from_secs(30));
        if let Some(user) = &config.user {
            builder = builder.user(user, password(config)?);
        }
        let driver = builder.build().await.map_err(|error| not_connected(&config.contact_points, &error))?;
        let serial = match serial {
            SerialConsistency::LocalSerial => Consistency::LocalSerial,
            SerialConsistency::Serial => Consistency::Serial,
        };
        Ok(Self { driver, keyspace: config.keyspace.clone(), serial, prepared: RwLock::default() })
    }

    pub(super) const fn driver(&self) -> &DriverSession {
        &self.driver
    }

    pub(super) fn keyspace(&self) -> &str {
        &self.keyspace
    }

    /// The statement, prepared. Tables in `cql` are written `@name`: the keyspace is put there.
    pub(super) async fn prepare(&self, kind: Kind, cql: &str) -> Result<PreparedStatement, StoreError> {
        if let Some(prepared) = self.prepared.read().get(cql) {
            return Ok(prepared.clone());
        }
        let text = cql.replace('@', &format!("{}.", self.keyspace));
        let preparing = timeout(REQUEST_TIMEOUT, self.driver.prepare(Statement::new(text)));
        let mut prepared = preparing
            .await
            .map_err(|_| StoreError::Unavailable("a statement could not be prepared in time".to_owned()))?
            .map_err(|error| not_prepared(&error))?;
        prepared.set_page_size(PAGE);
        prepared.set_use_cached_result_metadata(false);
        match kind {
            Kind::Read | Kind::Write => prepared.set_is_idempotent(true),
            Kind::SerialRead => {
                prepared.set_is_idempotent(true);
                prepared.set_consistency(self.serial);
            }
            Kind::Conditional => {
                prepared.set_is_idempotent(false);
                prepared.set_retry_policy(Some(Arc::new(FallthroughRetryPolicy::new())));
            }
        }
        self.prepared.write().insert(cql.to_owned(), prepared.clone());
        Ok(prepared)
    }

    /// Runs a statement whose answer fits one page.
    pub(super) async fn execute(&self, kind: Kind, cql: &str, values: impl SerializeRow) -> Result<QueryResult, StoreError> {
        let prepared = self.prepare(kind, cql).await?;
        self.driver.execute_unpaged(&prepared, values).await.map_err(|error| kind.operation().failed(&error))
    }

    /// Runs a read and gives all its rows, fetched page by page, at most `limit`.
    pub(super) async fn read(&self, cql: &str, values: impl SerializeRow, limit: usize) -> Result<Vec<Columns>, StoreError> {
        let prepared = self.prepare(Kind::Read, cql).await?;
        let mut all = Vec::new();
        let mut state = PagingState::start();
        loop {
            let page = self.driver.execute_single_page(&prepared, &values, state).await;
            let (result, next) = page.map_err(|error| Operation::Read.failed(&error))?;
            all.extend(rows(result)?);
            match next.into_paging_control_flow() {
                std::ops::ControlFlow::Continue(next) if all.len() < limit => state = next,
                _ => break,
            }
        }
        all.truncate(limit);
        Ok(all)
    }

    /// Runs a batch of prepared statements.
    pub(super) async fn batch(&self, kind: Kind, mut batch: Batch, values: impl BatchValues) -> Result<QueryResult, StoreError> {
        match kind {
            Kind::Conditional => {
                batch.set_is_idempotent(false);
                batch.set_retry_policy(Some(Arc::new(FallthroughRetryPolicy::new())));
            }
            Kind::Read | Kind::SerialRead | Kind::Write => batch.set_is_idempotent(true),
        }
        self.driver.batch(&batch, values).await.map_err(|error| kind.operation().failed(&error))
    }

    /// Runs a statement about the schema and waits until all nodes that are up agree on it.
    pub(super) async fn define(&self, cql: &str) -> Result<(), StoreError> {
        let text = cql.replace('@', &format!("{}.", self.keyspace));
        let mut statement = Statement::new(text);
        statement.set_request_timeout(Some(Duration::from_secs(60)));
        let result = self.driver.query_unpaged(statement, ()).await;
        result.map_err(|error| Operation::Write.failed(&error))?;
        // The driver waits only after a change; what another process is just making is no change.
        let agreed = self.driver.await_schema_agreement().await;
        agreed.map(drop).map_err(|error| StoreError::Unavailable(format!("the nodes do not agree on the schema: {error}")))
    }

    /// Runs a read of the database's own tables.
    pub(super) async fn inspect(&self, cql: &str, values: impl SerializeRow) -> Result<Vec<Columns>, StoreError> {
        let mut statement = Statement::new(cql);
        statement.set_consistency(Consistency::One);
        statement.set_is_idempotent(true);
        let result = self.driver.query_unpaged(statement, values).await;
        rows(result.map_err(|error| Operation::Read.failed(&error))?).map_err(unreadable)
    }
}

fn password(config: &CqlConfig) -> Result<String, StoreError> {
    let Some(path) = &config.password_file else {
        return Err(StoreError::Setup("the store has a user and no password_file".to_owned()));
    };
    let password = fs::read_to_string(path)
        .map_err(|error| StoreError::Setup(format!("the store's password_file {} cannot be read: {error}", path.display())))?;
    Ok(password.trim_end_matches(['\r', '\n']).to_owned())
}
