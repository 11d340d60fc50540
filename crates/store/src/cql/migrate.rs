//! Makes the schema what this version needs, once, however many processes start together.
//!
//! The table `banyan_schema` holds the version and a lock with an expiry. It is made with an id of its own, so that two processes that make it
//! at once make the same; every other table is made by the holder of the lock.

use std::{collections::BTreeMap, time::Duration};

use banyan_core::Entropy;
use bytes::Bytes;
use scylla::value::CqlValue;

use super::{
    CqlConfig,
    durability::Database,
    schema::{ColumnInfo, Definition, VERSION},
    session::{Kind, Session},
    values::{Bind, applied, rows},
};
use crate::{StoreError, check::Tables};

/// How long the lock outlives a holder that died.
const LOCK_SECONDS: i32 = 60;
const RETRY: Duration = Duration::from_millis(200);
/// Two expiries: somebody else makes progress or is dead by then.
const ATTEMPTS: u32 = 600;

/// Makes the keyspace unless it is there.
pub(super) async fn create_keyspace(session: &Session, config: &CqlConfig, database: Database) -> Result<(), StoreError> {
    let found = "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?";
    if !session.inspect(found, (session.keyspace(),)).await?.is_empty() {
        return Ok(());
    }
    enough_nodes(config, session.driver().get_cluster_state().get_nodes_info().len())?;
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let replication: Vec<_> = config.replication.iter().map(|(key, value)| format!("{}: {}", quoted(key), quoted(value))).collect();
    let tablets = if database == Database::Scylla { " AND tablets = {'enabled': false}" } else { "" };
    let cql = format!(
        "CREATE KEYSPACE IF NOT EXISTS {} WITH replication = {{{}}} AND durable_writes = true{tablets}",
        session.keyspace(),
        replication.join(", ")
    );
    session.define(&cql).await.map_err(|error| match error {
        StoreError::Refused(what) => StoreError::Setup(format!(
            "the keyspace {} cannot be made: {what}. Check `replication` and the user's rights, or make the keyspace beforehand",
            session.keyspace()
        )),
        other => other,
    })
}

/// The database makes a keyspace for more replicas than it has nodes, and then answers no quorum request.
fn enough_nodes(config: &CqlConfig, nodes: usize) -> Result<(), StoreError> {
    let factor = config.replication.get("replication_factor").and_then(|factor| factor.parse::<usize>().ok());
    match factor {
        Some(factor) if factor > nodes => Err(StoreError::Setup(format!(
            "the keyspace {} is to be kept on {factor} nodes and the database has {nodes}. Start the others first, or set \
             store.replication to {{ class = \"NetworkTopologyStrategy\", replication_factor = \"{nodes}\" }}",
            config.keyspace
        ))),
        _ => Ok(()),
    }
}

/// Makes or checks all tables.
pub(super) async fn migrate(session: &Session, tables: &Tables, entropy: &dyn Entropy) -> Result<(), StoreError> {
    let mut wanted = vec![Definition::shard_owner(), Definition::shard_log()];
    wanted.extend(tables.iter().map(Definition::of));
    if is_current(session, &wanted).await? {
        return Ok(());
    }
    let id = table_id(session.keyspace());
    session
        .define(&format!("CREATE TABLE IF NOT EXISTS @banyan_schema (name text PRIMARY KEY, value blob) WITH id = {id}"))
        .await?;
    let lock = Lock::take(session, entropy).await?;
    let made = make_tables(session, &wanted, &lock).await;
    // Given back even if something failed: else the next start waits for its expiry.
    let released = lock.release().await;
    made?;
    released
}

async fn make_tables(session: &Session, wanted: &[Definition], lock: &Lock<'_>) -> Result<(), StoreError> {
    check_version(session).await?;
    let found = columns(session).await?;
    for table in wanted {
        match found.get(table.name) {
            Some(columns) => check_table(session, table, columns)?,
            None => {
                session.define(&table.create()).await?;
                lock.keep().await?;
            }
        }
    }
    set_version(session).await
}

/// Whether everything is in place: the usual start, which takes no lock.
async fn is_current(session: &Session, wanted: &[Definition]) -> Result<bool, StoreError> {
    let found = columns(session).await?;
    if !found.contains_key("banyan_schema") {
        return Ok(false);
    }
    match check_version(session).await {
        Ok(Some(VERSION)) => {}
        // Listed, but not known to every node yet: another process is just making it.
        Ok(_) | Err(StoreError::Unavailable(_)) => return Ok(false),
        Err(error) => return Err(error),
    }
    for table in wanted {
        match found.get(table.name) {
            None => return Ok(false),
            Some(columns) => check_table(session, table, columns)?,
        }
    }
    Ok(true)
}

fn check_table(session: &Session, table: &Definition, found: &[ColumnInfo]) -> Result<(), StoreError> {
    match table.difference(found.to_vec()) {
        None => Ok(()),
        Some(difference) => Err(StoreError::Setup(format!(
            "the table {}.{} is not what this Banyan expects: {difference}. Is the keyspace used by something else?",
            session.keyspace(),
            table.name
        ))),
    }
}

/// The columns of every table of the keyspace.
async fn columns(session: &Session) -> Result<BTreeMap<String, Vec<ColumnInfo>>, StoreError> {
    let cql = "SELECT table_name, column_name, kind, position, type FROM system_schema.columns WHERE keyspace_name = ?";
    let mut tables: BTreeMap<String, Vec<ColumnInfo>> = BTreeMap::new();
    for mut row in session.inspect(cql, (session.keyspace(),)).await? {
        let table = row.text()?;
        let column = ColumnInfo { name: row.text()?, kind: row.text()?, position: row.int()?, cql_type: row.text()? };
        tables.entry(table).or_default().push(column);
    }
    Ok(tables)
}

/// The version of the schema; an error if it is newer than this program.
async fn check_version(session: &Session) -> Result<Option<i64>, StoreError> {
    let Some(value) = read(session, "version").await? else { return Ok(None) };
    let version = <[u8; 8]>::try_from(value.as_ref()).map(i64::from_be_bytes);
    let version = version.map_err(|_| StoreError::Corrupt("the version in banyan_schema".to_owned()))?;
    if version > VERSION {
        return Err(StoreError::Setup(format!(
            "the keyspace {} has schema version {version}, made by a newer Banyan; this one knows up to {VERSION}",
            session.keyspace()
        )));
    }
    Ok(Some(version))
}

async fn set_version(session: &Session) -> Result<(), StoreError> {
    let version = VERSION.to_be_bytes();
    let old = read(session, "version").await?;
    let result = match &old {
        None => {
            let cql = "INSERT INTO @banyan_schema (name, value) VALUES ('version', ?) IF NOT EXISTS";
            session.execute(Kind::Conditional, cql, (version.as_slice(),)).await?
        }
        Some(old) => {
            let cql = "UPDATE @banyan_schema SET value = ? WHERE name = 'version' IF value = ?";
            session.execute(Kind::Conditional, cql, (version.as_slice(), old.as_ref())).await?
        }
    };
    match applied(result, "value")? {
        Ok(()) => Ok(()),
        Err(_) => Err(StoreError::Unavailable("another process changed the schema's version; try again".to_owned())),
    }
}

async fn read(session: &Session, name: &str) -> Result<Option<Bytes>, StoreError> {
    let cql = "SELECT value FROM @banyan_schema WHERE name = ?";
    let result = session.execute(Kind::SerialRead, cql, (name,)).await?;
    match rows(result)?.pop() {
        Some(mut row) => row.maybe_blob(),
        None => Ok(None),
    }
}

/// The id of the keyspace's `banyan_schema`: the same in every process, another in every keyspace (FNV-1a of its name, twice).
fn table_id(keyspace: &str) -> String {
    let hash = |seed: u64| keyspace.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let (high, low) = (hash(0xcbf2_9ce4_8422_2325), hash(0x6261_6e79_616e_0001));
    // Laid out as a time-based UUID, which is what table ids are.
    format!(
        "{:08x}-{:04x}-1{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xFFFF,
        high & 0xFFF,
        0x8000 | (low >> 48) & 0x3FFF,
        low & 0xFFFF_FFFF_FFFF
    )
}

/// The right to change the schema.
struct Lock<'a> {
    session: &'a Session,
    holder: String,
}

impl<'a> Lock<'a> {
    async fn take(session: &'a Session, entropy: &dyn Entropy) -> Result<Self, StoreError> {
        let holder = entropy.lowercase(20);
        let cql = "INSERT INTO @banyan_schema (name, value) VALUES ('lock', ?) IF NOT EXISTS USING TTL ?";
        for attempt in 0..ATTEMPTS {
            let values = [Bind::Blob(holder.as_bytes()), Bind::Int(LOCK_SECONDS)];
            let taken = match session.execute(Kind::Conditional, cql, values.as_slice()).await {
                Ok(result) => match applied(result, "value")? {
                    Ok(()) => true,
                    // An attempt whose answer was lost may have won.
                    Err(current) => current == Some(CqlValue::Blob(holder.clone().into_bytes())),
                },
                Err(StoreError::Unknown(_)) => false,
                Err(error) => return Err(error),
            };
            if taken {
                return Ok(Self { session, holder });
            }
            if attempt == 0 {
                tracing::info!("waiting for another process that changes the database's schema");
            }
            tokio::time::sleep(RETRY).await;
        }
        Err(StoreError::Unavailable("another process has been changing the database's schema for two minutes".to_owned()))
    }

    /// Puts the expiry off.
    async fn keep(&self) -> Result<(), StoreError> {
        let cql = "UPDATE @banyan_schema USING TTL ? SET value = ? WHERE name = 'lock' IF value = ?";
        let holder = Bind::Blob(self.holder.as_bytes());
        let result = self.session.execute(Kind::Conditional, cql, [Bind::Int(LOCK_SECONDS), holder, holder].as_slice()).await?;
        match applied(result, "value")? {
            Ok(()) => Ok(()),
            Err(_) => Err(StoreError::Unavailable("changing the database's schema took too long; try again".to_owned())),
        }
    }

    async fn release(self) -> Result<(), StoreError> {
        let cql = "DELETE FROM @banyan_schema WHERE name = 'lock' IF value = ?";
        self.session.execute(Kind::Conditional, cql, [Bind::Blob(self.holder.as_bytes())].as_slice()).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::{CqlConfig, enough_nodes, table_id};

    #[test]
    fn ids_are_uuids_and_differ_by_keyspace() {
        let id = table_id("banyan");
        assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert_eq!(id, table_id("banyan"));
        assert_ne!(id, table_id("banyan2"));
    }

    #[test]
    fn more_replicas_than_nodes_are_refused_with_the_remedy() {
        let config = CqlConfig::new(vec!["db:9042".to_owned()]);
        assert!(enough_nodes(&config, 3).is_ok());
        let refused = enough_nodes(&config, 2).unwrap_err().to_string();
        assert!(refused.contains("kept on 3 nodes") && refused.contains("the database has 2"), "{refused}");
    }
}
