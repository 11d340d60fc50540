//! ScyllaDB and Apache Cassandra, through the subset of CQL that both speak.
//!
//! Reads and derived writes are made at QUORUM, conditional ones at SERIAL (both counted within a datacenter if one is configured), so a
//! read sees every write that was acknowledged before. No request is ever made twice at the same time to be faster, and a conditional write
//! is never repeated by the driver.

mod config;
mod durability;
mod errors;
mod logs;
mod migrate;
mod schema;
mod session;
mod statements;
mod tables;
mod values;

use std::sync::Arc;

use banyan_core::Entropy;

pub use self::config::CqlConfig;
use self::{durability::Database, session::Session};
use crate::{StoreError, Table, check::Tables};

/// The store. Clones share a session.
#[derive(Clone)]
pub struct CqlStore(Arc<Inner>);

struct Inner {
    session: Session,
    tables: Tables,
}

impl std::fmt::Debug for CqlStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CqlStore").field("keyspace", &self.0.session.keyspace()).finish_non_exhaustive()
    }
}

impl CqlStore {
    /// Connects, checks that the database keeps what it acknowledges, and makes the schema unless it is there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database does not answer (yet), [`StoreError::Setup`] if it must be set up differently: the
    /// text says how.
    pub async fn connect(config: &CqlConfig, tables: &[&'static Table], entropy: &dyn Entropy) -> Result<Self, StoreError> {
        let tables = Tables::new(tables)?;
        config.check()?;
        let session = Session::connect(config).await?;
        let database = Database::detect(&session).await?;
        if database == Database::Cassandra {
            durability::check_cassandra(&session).await?;
        }
        migrate::create_keyspace(&session, config, database).await?;
        if database == Database::Scylla {
            durability::check_scylla(&session).await?;
        }
        migrate::migrate(&session, &tables, entropy).await?;
        Ok(Self(Arc::new(Inner { session, tables })))
    }

    fn session(&self) -> &Session {
        &self.0.session
    }

    fn tables(&self) -> &Tables {
        &self.0.tables
    }
}
