//! Conditional writes: decided one after another against what is stored and what the same batch decided before, then synced at once.

use std::collections::HashMap;

use banyan_core::TimestampMicros;
use bytes::Bytes;
use fjall::{Keyspace, OwnedWriteBatch, PersistMode};

use super::{
    committer::Work,
    databases::{Databases, Slot, to_store_error},
    encoding::{
        decode_cell, decode_head, decode_owner, encode_cell, encode_entry, encode_head, encode_owner, entry_key, head_key,
        owner_key, row_key,
    },
};
use crate::{
    Cas, StoreError,
    cell::Cell,
    conditional::{Conditional, HeadWrite, Outcome, OwnerWrite, RowId, ValueWrite},
};

impl Work for Conditional {
    type Answer = Outcome;

    fn bytes(&self) -> usize {
        match self {
            Self::Head(_, _, HeadWrite::Append(batch)) => {
                batch.rows.iter().map(|row| row.header.len() + row.body.len() + 64).sum::<usize>() + 128
            }
            Self::Value(_, ValueWrite::Insert(value, _) | ValueWrite::Replace { value: Some(value), .. }) => value.len() + 256,
            _ => 256,
        }
    }

    fn commit(slot: &Slot, batch: &[Self]) -> Vec<Result<Outcome, StoreError>> {
        let now = slot.clock().now();
        let committed = slot.with(|databases| {
            let mut round = Round { databases, batch: databases.log.batch(), decided: HashMap::new() };
            let outcomes: Vec<_> = batch.iter().map(|write| round.decide(write, now)).collect();
            if round.decided.is_empty() {
                return Ok(outcomes);
            }
            // The answers that refuse may rest on writes of this very batch: none is given before the sync.
            match round.batch.durability(Some(PersistMode::SyncData)).commit() {
                Ok(()) => Ok(outcomes),
                Err(error) => {
                    slot.set_failed(&error);
                    Ok(outcomes.into_iter().map(|outcome| Err(after_failure(outcome, &error))).collect())
                }
            }
        });
        committed.unwrap_or_else(|error| batch.iter().map(|_| Err(error.clone())).collect())
    }
}

/// What to answer when the batch could not be committed.
fn after_failure(outcome: Result<Outcome, StoreError>, error: &fjall::Error) -> StoreError {
    match outcome {
        Err(error) => error,
        Ok(Outcome::Owner(Cas::Applied) | Outcome::Head(Cas::Applied) | Outcome::Value(Cas::Applied)) => {
            StoreError::Unknown(error.to_string())
        }
        Ok(_) => StoreError::Unavailable(error.to_string()),
    }
}

/// One batch under way.
struct Round<'a> {
    databases: &'a Databases,
    batch: OwnedWriteBatch,
    /// What this batch wrote so far, by key; `None`: removed.
    decided: HashMap<Vec<u8>, Option<Bytes>>,
}

impl Round<'_> {
    fn decide(&mut self, write: &Conditional, now: TimestampMicros) -> Result<Outcome, StoreError> {
        match write {
            Conditional::Owner(log, write) => self.decide_owner(owner_key(*log), write),
            Conditional::Head(log, bucket, write) => {
                let outcome = self.decide_head(head_key(*log, *bucket), write)?;
                if let (Outcome::Head(Cas::Applied), HeadWrite::Append(append)) = (&outcome, write) {
                    for row in &append.rows {
                        self.batch.insert(&self.databases.entries, entry_key(*log, *bucket, row.seq), encode_entry(row));
                    }
                }
                Ok(outcome)
            }
            Conditional::Value(row, write) => self.decide_value(row, write, now),
        }
    }

    fn decide_owner(&mut self, key: Vec<u8>, write: &OwnerWrite) -> Result<Outcome, StoreError> {
        let old = self.read(&self.databases.entries, &key)?.map(|bytes| decode_owner(&bytes)).transpose()?;
        Ok(Outcome::Owner(match write.decide(old.as_ref()) {
            None => Cas::Refused(old),
            Some(row) => {
                self.write(&self.databases.entries, key, Some(encode_owner(&row)));
                Cas::Applied
            }
        }))
    }

    fn decide_head(&mut self, key: Vec<u8>, write: &HeadWrite) -> Result<Outcome, StoreError> {
        let old = self.read(&self.databases.entries, &key)?.map(|bytes| decode_head(&bytes)).transpose()?;
        Ok(Outcome::Head(match write.decide(old.as_ref()) {
            None => Cas::Refused(old),
            Some(head) => {
                self.write(&self.databases.entries, key, Some(encode_head(&head)));
                Cas::Applied
            }
        }))
    }

    fn decide_value(&mut self, row: &RowId, write: &ValueWrite, now: TimestampMicros) -> Result<Outcome, StoreError> {
        let key = row_key(row.table, &row.partition, &row.clustering);
        let old = self.read(&self.databases.conditional, &key)?.map(|bytes| decode_cell(&bytes)).transpose()?;
        let current = old.as_ref().and_then(|cell| cell.live(now));
        Ok(Outcome::Value(match write.decide(current) {
            None => Cas::Refused(current.cloned()),
            Some((value, expires)) => {
                let cell = value.map(|value| encode_cell(&Cell { value: Some(value), written: TimestampMicros(0), expires }));
                self.write(&self.databases.conditional, key, cell);
                Cas::Applied
            }
        }))
    }

    fn read(&self, keyspace: &Keyspace, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        if let Some(decided) = self.decided.get(key) {
            return Ok(decided.clone());
        }
        let stored = keyspace.get(key).map_err(|error| to_store_error(&error))?;
        Ok(stored.map(|stored| Bytes::copy_from_slice(&stored)))
    }

    fn write(&mut self, keyspace: &Keyspace, key: Vec<u8>, value: Option<Vec<u8>>) {
        match &value {
            Some(value) => self.batch.insert(keyspace, key.as_slice(), value.as_slice()),
            None => self.batch.remove(keyspace, key.as_slice()),
        }
        self.decided.insert(key, value.map(Bytes::from));
    }
}
