//! Conditional writes as data, and what each decides about the row it finds: shared by the backends that evaluate conditions
//! themselves.

use banyan_core::{Epoch, LogId, TimestampMicros};
use bytes::Bytes;

use crate::{Append, Cas, Head, Key, OwnerRow, StoreError};

/// A conditional write, kept whole so that it can wait, happen late or happen twice.
#[derive(Clone, Debug)]
pub(crate) enum Conditional {
    Owner(LogId, OwnerWrite),
    Head(LogId, u64, HeadWrite),
    Value(RowId, ValueWrite),
}

/// A write to `shard_owner`.
#[derive(Clone, Debug)]
pub(crate) enum OwnerWrite {
    Create(OwnerRow),
    Replace(Epoch, OwnerRow),
}

/// A write to a bucket.
#[derive(Clone, Debug)]
pub(crate) enum HeadWrite {
    Create(Head),
    Raise(Epoch, String),
    Append(Append),
}

/// A write to a conditional table; expiries are points in time.
#[derive(Clone, Debug)]
pub(crate) enum ValueWrite {
    Insert(Bytes, Option<TimestampMicros>),
    Replace { expected: Bytes, value: Option<Bytes>, expires: Option<TimestampMicros> },
}

/// A row of a conditional table.
#[derive(Clone, Debug)]
pub(crate) struct RowId {
    pub(crate) table: &'static str,
    pub(crate) partition: Key,
    pub(crate) clustering: Key,
}

/// What a conditional write answers.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Owner(Cas<OwnerRow>),
    Head(Cas<Head>),
    Value(Cas<Bytes>),
}

impl OwnerWrite {
    /// The new row, if the condition holds.
    pub(crate) fn decide(&self, old: Option<&OwnerRow>) -> Option<OwnerRow> {
        match self {
            Self::Create(row) => old.is_none().then(|| row.clone()),
            Self::Replace(expected, row) => old.is_some_and(|old| old.epoch == *expected).then(|| row.clone()),
        }
    }
}

impl HeadWrite {
    /// The new head, if the condition holds.
    pub(crate) fn decide(&self, old: Option<&Head>) -> Option<Head> {
        match self {
            Self::Create(head) => old.is_none().then(|| head.clone()),
            Self::Raise(epoch, owner) => {
                let old = old.filter(|old| old.epoch < *epoch)?;
                Some(Head { epoch: *epoch, owner: owner.clone(), ..old.clone() })
            }
            Self::Append(batch) => {
                let old = old.filter(|old| old.epoch == batch.epoch && old.next_seq == batch.next_seq)?;
                let next_seq = batch.next_seq.plus(batch.rows.len() as u64);
                Some(Head { next_seq, batch_id: batch.batch_id, ..old.clone() })
            }
        }
    }
}

impl ValueWrite {
    /// The new value (`None` inside: removed) and its expiry, if the condition holds.
    pub(crate) fn decide(&self, old: Option<&Bytes>) -> Option<(Option<Bytes>, Option<TimestampMicros>)> {
        match self {
            Self::Insert(value, expires) => old.is_none().then(|| (Some(value.clone()), *expires)),
            Self::Replace { expected, value, expires } => (old == Some(expected)).then(|| (value.clone(), *expires)),
        }
    }
}

impl Outcome {
    pub(crate) fn owner(self) -> Result<Cas<OwnerRow>, StoreError> {
        if let Self::Owner(cas) = self { Ok(cas) } else { Err(self.mismatch("an owner")) }
    }

    pub(crate) fn head(self) -> Result<Cas<Head>, StoreError> {
        if let Self::Head(cas) = self { Ok(cas) } else { Err(self.mismatch("a head")) }
    }

    pub(crate) fn value(self) -> Result<Cas<Bytes>, StoreError> {
        if let Self::Value(cas) = self { Ok(cas) } else { Err(self.mismatch("a row")) }
    }

    fn mismatch(&self, what: &str) -> StoreError {
        StoreError::Corrupt(format!("a conditional write of {what} answered {self:?}"))
    }
}
