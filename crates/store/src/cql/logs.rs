//! Shard logs in a CQL database.

use async_trait::async_trait;
use banyan_core::{Epoch, LogId, LogSeq, TimestampMicros};
use bytes::Bytes;
use scylla::{
    response::query_result::QueryResult,
    serialize::row::SerializeRow,
    statement::batch::{Batch, BatchType},
    value::{CqlTimeuuid, CqlValue},
};

use super::{
    CqlStore,
    errors::unreadable,
    session::Kind,
    values::{Bind, Columns, applied, rows},
};
use crate::{
    Append, Cas, Head, LogRow, LogStore, OwnerRow, StoreError,
    check::{MAX_READ, check_append},
};

const READ_OWNER: &str = "SELECT epoch, owner, addr, first_bucket, hint_bucket FROM @shard_owner WHERE shard = ?";
const CREATE_OWNER: &str =
    "INSERT INTO @shard_owner (shard, epoch, owner, addr, first_bucket, hint_bucket) VALUES (?, ?, ?, ?, ?, ?) IF NOT EXISTS";
const REPLACE_OWNER: &str =
    "UPDATE @shard_owner SET epoch = ?, owner = ?, addr = ?, first_bucket = ?, hint_bucket = ? WHERE shard = ? IF epoch = ?";
const READ_HEAD: &str = "SELECT epoch, owner, next_seq, batch_id FROM @shard_log WHERE shard = ? AND bucket = ? AND seq = -1";
const CREATE_HEAD: &str =
    "INSERT INTO @shard_log (shard, bucket, seq, epoch, owner, next_seq, batch_id) VALUES (?, ?, -1, ?, ?, ?, ?) IF NOT EXISTS";
const RAISE_HEAD: &str = "UPDATE @shard_log SET epoch = ?, owner = ? WHERE shard = ? AND bucket = ? AND seq = -1 IF epoch < ?";
const MOVE_HEAD: &str =
    "UPDATE @shard_log SET next_seq = ?, batch_id = ? WHERE shard = ? AND bucket = ? AND seq = -1 IF epoch = ? AND next_seq = ?";
const ADD_ENTRY: &str = "INSERT INTO @shard_log (shard, bucket, seq, epoch, hdr, body) VALUES (?, ?, ?, ?, ?, ?)";
const READ_LOG: &str = "SELECT seq, hdr, body FROM @shard_log WHERE shard = ? AND bucket = ? AND seq >= ? LIMIT ?";
const DROP_BUCKET: &str = "DELETE FROM @shard_log WHERE shard = ? AND bucket = ? AND seq >= 0";

/// CQL's integers are signed; epochs, sequences and buckets are far below where that matters.
fn signed(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Refused(format!("{number} does not fit a bigint")))
}

fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::Corrupt(format!("{number} where no negative number may be")))
}

fn read_owner(mut columns: Columns) -> Result<OwnerRow, StoreError> {
    Ok(OwnerRow {
        epoch: Epoch(unsigned(columns.big()?)?),
        owner: columns.text()?,
        addr: columns.text()?,
        first_bucket: unsigned(columns.big()?)?,
        hint_bucket: unsigned(columns.big()?)?,
    })
}

fn read_head(mut columns: Columns) -> Result<Head, StoreError> {
    let epoch = Epoch(unsigned(columns.big()?)?);
    let owner = columns.text()?;
    let next_seq = LogSeq(unsigned(columns.big()?)?);
    let batch_id = columns.blob()?;
    let batch_id = <[u8; 16]>::try_from(batch_id.as_ref()).map_err(|_| StoreError::Corrupt("a batch id".to_owned()))?;
    Ok(Head { epoch, owner, next_seq, batch_id: u128::from_be_bytes(batch_id) })
}

fn read_entry(mut columns: Columns) -> Result<LogRow, StoreError> {
    Ok(LogRow { seq: LogSeq(unsigned(columns.big()?)?), header: columns.blob()?, body: columns.blob()? })
}

impl CqlStore {
    async fn conditional(&self, cql: &str, values: impl SerializeRow) -> Result<Result<(), Option<CqlValue>>, StoreError> {
        applied(self.session().execute(Kind::Conditional, cql, values).await?, "epoch")
    }

    /// A refusal tells only the columns of the condition: the rest is read.
    async fn owner_after(&self, log: LogId, outcome: Result<(), Option<CqlValue>>) -> Result<Cas<OwnerRow>, StoreError> {
        match outcome {
            Ok(()) => Ok(Cas::Applied),
            Err(_) => Ok(Cas::Refused(self.read_owner(log).await?)),
        }
    }

    async fn head_after(&self, log: LogId, bucket: u64, outcome: Result<(), Option<CqlValue>>) -> Result<Cas<Head>, StoreError> {
        match outcome {
            Ok(()) => Ok(Cas::Applied),
            Err(_) => Ok(Cas::Refused(self.read_head(log, bucket).await?)),
        }
    }

    async fn append_batch(&self, shard: &str, batch: &Append) -> Result<QueryResult, StoreError> {
        let (bucket, epoch) = (Bind::Big(signed(batch.bucket)?), Bind::Big(signed(batch.epoch.0)?));
        let next_seq = Bind::Big(signed(batch.next_seq.0)?);
        let after = Bind::Big(signed(batch.next_seq.plus(batch.rows.len() as u64).0)?);
        let batch_id = batch.batch_id.to_be_bytes();
        let mut statement = Batch::new(BatchType::Unlogged);
        statement.append_statement(self.session().prepare(Kind::Conditional, MOVE_HEAD).await?);
        let mut values = vec![vec![after, Bind::Blob(&batch_id), Bind::Text(shard), bucket, epoch, next_seq]];
        let entry = self.session().prepare(Kind::Conditional, ADD_ENTRY).await?;
        for row in &batch.rows {
            statement.append_statement(entry.clone());
            let seq = Bind::Big(signed(row.seq.0)?);
            values.push(vec![Bind::Text(shard), bucket, seq, epoch, Bind::Blob(&row.header), Bind::Blob(&row.body)]);
        }
        self.session().batch(Kind::Conditional, statement, values).await
    }
}

#[async_trait]
impl LogStore for CqlStore {
    async fn read_owner(&self, log: LogId) -> Result<Option<OwnerRow>, StoreError> {
        let result = self.session().execute(Kind::SerialRead, READ_OWNER, (log.to_string(),)).await?;
        rows(result)?.pop().map(read_owner).transpose()
    }

    async fn create_owner(&self, log: LogId, row: OwnerRow) -> Result<Cas<OwnerRow>, StoreError> {
        let (epoch, first, hint) = (signed(row.epoch.0)?, signed(row.first_bucket)?, signed(row.hint_bucket)?);
        let outcome = self.conditional(CREATE_OWNER, (log.to_string(), epoch, row.owner, row.addr, first, hint)).await?;
        self.owner_after(log, outcome).await
    }

    async fn replace_owner(&self, log: LogId, expected: Epoch, row: OwnerRow) -> Result<Cas<OwnerRow>, StoreError> {
        let (epoch, first, hint) = (signed(row.epoch.0)?, signed(row.first_bucket)?, signed(row.hint_bucket)?);
        let values = (epoch, row.owner, row.addr, first, hint, log.to_string(), signed(expected.0)?);
        let outcome = self.conditional(REPLACE_OWNER, values).await?;
        self.owner_after(log, outcome).await
    }

    async fn read_head(&self, log: LogId, bucket: u64) -> Result<Option<Head>, StoreError> {
        let result = self.session().execute(Kind::SerialRead, READ_HEAD, (log.to_string(), signed(bucket)?)).await?;
        rows(result)?.pop().map(read_head).transpose()
    }

    async fn create_head(&self, log: LogId, bucket: u64, head: Head) -> Result<Cas<Head>, StoreError> {
        let batch_id = Bytes::copy_from_slice(&head.batch_id.to_be_bytes());
        let (epoch, next_seq) = (signed(head.epoch.0)?, signed(head.next_seq.0)?);
        let values = (log.to_string(), signed(bucket)?, epoch, head.owner, next_seq, batch_id);
        let outcome = self.conditional(CREATE_HEAD, values).await?;
        self.head_after(log, bucket, outcome).await
    }

    async fn raise_head(&self, log: LogId, bucket: u64, epoch: Epoch, owner: &str) -> Result<Cas<Head>, StoreError> {
        let epoch = signed(epoch.0)?;
        let outcome = self.conditional(RAISE_HEAD, (epoch, owner, log.to_string(), signed(bucket)?, epoch)).await?;
        self.head_after(log, bucket, outcome).await
    }

    async fn append(&self, log: LogId, batch: &Append) -> Result<Cas<Head>, StoreError> {
        check_append(batch)?;
        let result = self.append_batch(&log.to_string(), batch).await?;
        let outcome = applied(result, "epoch")?;
        self.head_after(log, batch.bucket, outcome).await
    }

    async fn read_log(&self, log: LogId, bucket: u64, from: LogSeq, limit: usize) -> Result<Vec<LogRow>, StoreError> {
        let limit = limit.clamp(1, MAX_READ);
        let rows = i32::try_from(limit).unwrap_or(i32::MAX);
        let values = (log.to_string(), signed(bucket)?, signed(from.0)?, rows);
        self.session().read(READ_LOG, values, limit).await?.into_iter().map(read_entry).collect()
    }

    async fn drop_bucket(&self, log: LogId, bucket: u64) -> Result<(), StoreError> {
        // Not conditional: a sealed bucket gets no entries any more, and its head row is not in the range.
        self.session().execute(Kind::Write, DROP_BUCKET, (log.to_string(), signed(bucket)?)).await.map(drop)
    }

    async fn store_time(&self) -> Result<Option<TimestampMicros>, StoreError> {
        let result = self.session().execute(Kind::Read, "SELECT now() FROM system.local", ()).await?;
        let (now,) = result.into_rows_result().map_err(unreadable)?.first_row::<(CqlTimeuuid,)>().map_err(unreadable)?;
        Ok(Some(timeuuid_micros(now.as_bytes())))
    }
}

/// The time in a time-based UUID: 60 bits of 100 ns since October 1582.
fn timeuuid_micros(uuid: &[u8; 16]) -> TimestampMicros {
    const UNIX_EPOCH: i64 = 0x01B2_1DD2_1381_4000;
    let [l0, l1, l2, l3, m0, m1, h0, h1, ..] = *uuid;
    let ticks = i64::from_be_bytes([h0 & 0x0F, h1, m0, m1, l0, l1, l2, l3]);
    TimestampMicros((ticks - UNIX_EPOCH) / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_uuid() {
        // 2013-05-02T08:15:30.123Z, made by hand: ticks = (micros * 10) + offset.
        let micros = 1_367_482_530_123_000_i64;
        let ticks = (micros * 10 + 0x01B2_1DD2_1381_4000).to_be_bytes();
        let [h0, h1, m0, m1, l0, l1, l2, l3] = ticks;
        let uuid = [l0, l1, l2, l3, m0, m1, h0 | 0x10, h1, 0x80, 0, 0, 0, 0, 0, 0, 1];
        assert_eq!(timeuuid_micros(&uuid), TimestampMicros(micros));
    }
}
