//! Rows of conditional tables, each alone in its partition: read at SERIAL, and written where nobody wrote meanwhile.

use std::{sync::Arc, time::Duration};

use banyan_core::ServiceError;
use banyan_store::{Cas, Key, Store, StoreError, Table, key};
use bytes::Bytes;
use prost::Message;

use crate::error::store_error;

/// How often a write of unknown outcome is repeated.
const ATTEMPTS: usize = 4;
/// How often a change is tried while others change the row.
const CHANGES: usize = 32;

/// Reads and writes such rows.
#[derive(Clone)]
pub(crate) struct ConditionalRows {
    store: Arc<dyn Store>,
    table: &'static Table,
}

/// A row and the bytes that it was stored as.
#[derive(Clone, Debug)]
pub(crate) struct Stored<M> {
    pub(crate) row: M,
    bytes: Bytes,
}

/// What is to become of a row.
pub(crate) enum Change<R, T> {
    /// It stays as it is.
    Keep(T),
    /// It is this from now on, for so long.
    Put(R, Duration, T),
}

impl<M: Message> Stored<M> {
    /// The row is this now.
    pub(crate) fn set(&mut self, row: M) {
        self.bytes = row.encode_to_vec().into();
        self.row = row;
    }
}

impl ConditionalRows {
    pub(crate) fn new(store: Arc<dyn Store>, table: &'static Table) -> Self {
        Self { store, table }
    }

    /// The row of a key.
    pub(crate) async fn read<M: Message + Default>(&self, partition: &Key) -> Result<Option<Stored<M>>, ServiceError> {
        let bytes = self.store.get_serial(self.table, partition, &key![]).await.map_err(|e| store_error(&e))?;
        let Some(bytes) = bytes else { return Ok(None) };
        let row = M::decode(bytes.clone());
        let row = row.map_err(|e| ServiceError::internal(format!("table {}: a row is corrupt: {e}", self.table.name)))?;
        Ok(Some(Stored { row, bytes }))
    }

    /// Reads the row, has it changed, and writes it, again until nobody came between. `change` may be asked more than once.
    pub(crate) async fn update<R: Message + Default + Clone, T>(
        &self,
        partition: &Key,
        mut change: impl FnMut(Option<R>) -> Result<Change<R, T>, ServiceError>,
    ) -> Result<T, ServiceError> {
        for _ in 0..CHANGES {
            let stored = self.read::<R>(partition).await?;
            let (row, ttl, answer) = match change(stored.as_ref().map(|stored| stored.row.clone()))? {
                Change::Keep(answer) => return Ok(answer),
                Change::Put(row, ttl, answer) => (row, Some(ttl.max(Duration::from_secs(1))), answer),
            };
            let written = match &stored {
                None => self.insert(partition, &row, ttl).await?,
                Some(old) => self.replace(partition, old, &row, ttl).await?,
            };
            if written {
                return Ok(answer);
            }
        }
        Err(self.unwritten(None))
    }

    /// Writes a row unless there is one. False: there is another one.
    pub(crate) async fn insert<M: Message>(&self, partition: &Key, row: &M, ttl: Option<Duration>) -> Result<bool, ServiceError> {
        let value = Bytes::from(row.encode_to_vec());
        let mut lost = None;
        for _ in 0..ATTEMPTS {
            match self.store.insert(self.table, partition, &key![], value.clone(), ttl).await {
                Ok(Cas::Applied) => return Ok(true),
                // After an unknown outcome the row is our own.
                Ok(Cas::Refused(there)) => return Ok(lost.is_some() && there == Some(value)),
                Err(error @ StoreError::Unknown(_)) => lost = Some(error),
                Err(error) => return Err(store_error(&error)),
            }
        }
        Err(self.unwritten(lost))
    }

    /// Writes a row over the one that was read. False: somebody else wrote. Rows of which only one writer may succeed must differ in
    /// their bytes: after an unknown outcome a row like the new one is taken for our own.
    pub(crate) async fn replace<M: Message>(
        &self,
        partition: &Key,
        old: &Stored<M>,
        new: &M,
        ttl: Option<Duration>,
    ) -> Result<bool, ServiceError> {
        let value = Bytes::from(new.encode_to_vec());
        let mut lost = None;
        for _ in 0..ATTEMPTS {
            match self.store.replace(self.table, partition, &key![], old.bytes.clone(), Some(value.clone()), ttl).await {
                Ok(Cas::Applied) => return Ok(true),
                Ok(Cas::Refused(there)) => return Ok(lost.is_some() && there == Some(value)),
                Err(error @ StoreError::Unknown(_)) => lost = Some(error),
                Err(error) => return Err(store_error(&error)),
            }
        }
        Err(self.unwritten(lost))
    }

    /// Removes the row that was read: of many who do, one is told true. After an unknown outcome nobody is.
    pub(crate) async fn take<M: Message>(&self, partition: &Key, old: &Stored<M>) -> Result<bool, ServiceError> {
        let removed = self.store.replace(self.table, partition, &key![], old.bytes.clone(), None, None).await;
        removed.map(|outcome| outcome == Cas::Applied).map_err(|e| store_error(&e))
    }

    /// Removes the row that was read; one that changed meanwhile, or is gone, is left as it is.
    pub(crate) async fn remove<M: Message>(&self, partition: &Key, old: &Stored<M>) -> Result<(), ServiceError> {
        let removed = self.store.replace(self.table, partition, &key![], old.bytes.clone(), None, None).await;
        removed.map(|_| ()).map_err(|e| store_error(&e))
    }

    fn unwritten(&self, lost: Option<StoreError>) -> ServiceError {
        let unavailable = || StoreError::Unavailable(format!("table {}: a row could not be written", self.table.name));
        store_error(&lost.unwrap_or_else(unavailable))
    }
}

/// What is left until `expires` (microseconds), and at least a second, for a row's time to live.
pub(crate) fn left(expires: i64, now: i64) -> Option<Duration> {
    let micros = u64::try_from(expires.saturating_sub(now)).unwrap_or(0);
    Some(Duration::from_micros(micros).max(Duration::from_secs(1)))
}
