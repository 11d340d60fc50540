//! What is fixed when an installation first starts: how many shards it has, and how its data is laid out.

use banyan_core::{Clock, Entropy, ShardCount};
use banyan_proto::runtime::Installation;
use banyan_store::{Cas, Column, Compaction, Mode, Store, StoreError, Table, key};
use bytes::Bytes;
use prost::Message as _;

/// One row for the whole installation.
static INSTALLATION: Table = Table {
    name: "installation",
    partition: &[Column::text("name")],
    clustering: &[],
    mode: Mode::Conditional,
    compaction: Compaction::Leveled,
};

/// The tables of this crate.
pub static TABLES: &[&Table] = &[&INSTALLATION];

/// The layout of stored data that this program reads and writes.
const FORMAT: u32 = 1;

/// The stored data is not what this process expects.
#[derive(Debug, thiserror::Error)]
pub enum InstallationError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another number of shards is configured than the data has.
    #[error(
        "this installation has {stored} shards and always will; {configured} are configured. Set it to {stored} or leave it out"
    )]
    ShardCount {
        /// What the data has.
        stored: u16,
        /// What was asked for.
        configured: u16,
    },
    /// A later program wrote the data.
    #[error("the stored data has layout {stored}, this program knows layout {FORMAT}: use a later version of Banyan")]
    Format {
        /// The data's layout.
        stored: u32,
    },
    /// The row makes no sense.
    #[error("the row that describes the installation is damaged: {0}")]
    Damaged(String),
}

/// What is fixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Random, the same for all processes of the installation.
    pub id: String,
    /// How many shards each kind of log has.
    pub shards: ShardCount,
}

/// Records `wanted` (or the default) as the number of shards at the first start, and checks it at every later one. Safe when several
/// processes start at once.
pub(crate) async fn open(
    store: &dyn Store,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
    wanted: Option<ShardCount>,
) -> Result<Identity, InstallationError> {
    let partition = key!["banyan"];
    let stored = match store.get_serial(&INSTALLATION, &partition, &key![]).await? {
        Some(stored) => stored,
        None => {
            let first = Installation {
                shard_count: wanted.unwrap_or_default().get().into(),
                format: FORMAT,
                created: clock.now().0,
                id: entropy.lowercase(20),
            };
            let first = Bytes::from(first.encode_to_vec());
            match store.insert(&INSTALLATION, &partition, &key![], first.clone(), None).await? {
                Cas::Applied => first,
                Cas::Refused(Some(stored)) => stored,
                Cas::Refused(None) => return Err(InstallationError::Damaged("it was refused and is not there".to_owned())),
            }
        }
    };
    check(&stored, wanted)
}

fn check(stored: &[u8], wanted: Option<ShardCount>) -> Result<Identity, InstallationError> {
    let stored = Installation::decode(stored).map_err(|error| InstallationError::Damaged(error.to_string()))?;
    if stored.format != FORMAT {
        return Err(InstallationError::Format { stored: stored.format });
    }
    let count = u16::try_from(stored.shard_count).ok().and_then(ShardCount::new);
    let shards = count.ok_or_else(|| InstallationError::Damaged(format!("{} shards", stored.shard_count)))?;
    match wanted {
        Some(wanted) if wanted != shards => Err(InstallationError::ShardCount { stored: shards.get(), configured: wanted.get() }),
        _ => Ok(Identity { id: stored.id, shards }),
    }
}
