//! Keys and rows as bytes: the order of encoded keys is the order of the keys.
//!
//! A row's key is its table's name, a zero, and the parts of partition and clustering key. An integer is its 8 bytes, big-endian, sign
//! bit flipped. Text and blobs are their bytes with 0x00 written as 0x00 0xFF, ended by 0x00 0x00. So each part ends where it says, and
//! the rows of a partition, or of a prefix of the clustering key, lie next to each other.

use std::ops::Bound as OpsBound;

use banyan_core::{Epoch, LogId, LogKind, LogSeq, TimestampMicros};
use bytes::{Buf, BufMut, Bytes};

use crate::{ColumnType, Head, Key, KeyPart, LogRow, OwnerRow, Range, StoreError, Table, cell::Cell};

/// The bytes that the keys of a partition's rows begin with.
pub(super) fn partition_prefix(table: &str, partition: &Key) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(table.len() + 1 + 32 * partition.len());
    bytes.extend_from_slice(table.as_bytes());
    bytes.push(0);
    push_parts(&mut bytes, partition);
    bytes
}

/// A row's key.
pub(super) fn row_key(table: &str, partition: &Key, clustering: &Key) -> Vec<u8> {
    let mut bytes = partition_prefix(table, partition);
    push_parts(&mut bytes, clustering);
    bytes
}

pub(super) fn push_parts(bytes: &mut Vec<u8>, parts: &Key) {
    for part in parts {
        match part {
            KeyPart::Int(int) => bytes.put_u64(int.cast_unsigned() ^ (1 << 63)),
            KeyPart::Text(text) => push_escaped(bytes, text.as_bytes()),
            KeyPart::Blob(blob) => push_escaped(bytes, blob),
        }
    }
}

fn push_escaped(bytes: &mut Vec<u8>, part: &[u8]) {
    for byte in part {
        bytes.push(*byte);
        if *byte == 0 {
            bytes.push(0xFF);
        }
    }
    bytes.extend_from_slice(&[0, 0]);
}

/// The range of encoded keys, start included and end excluded, that holds `range` of the partition with `prefix`; `None` if empty.
pub(super) fn key_range(prefix: &[u8], range: &Range) -> Option<(Vec<u8>, Vec<u8>)> {
    let encoded = |bound: &Key| {
        let mut bytes = prefix.to_vec();
        push_parts(&mut bytes, bound);
        bytes
    };
    let start = match &range.from {
        OpsBound::Unbounded => prefix.to_vec(),
        OpsBound::Included(key) => encoded(key),
        OpsBound::Excluded(key) => after(encoded(key)),
    };
    let end = match &range.to {
        OpsBound::Unbounded => after(prefix.to_vec()),
        OpsBound::Included(key) => after(encoded(key)),
        OpsBound::Excluded(key) => encoded(key),
    };
    (start < end).then_some((start, end))
}

/// The first key that sorts after all that begin with `prefix`.
pub(super) fn after(mut prefix: Vec<u8>) -> Vec<u8> {
    while prefix.pop_if(|last| *last == 0xFF).is_some() {}
    if let Some(last) = prefix.last_mut() {
        *last += 1;
    }
    prefix
}

/// Reads the clustering key at the end of a row's key.
pub(super) fn clustering(table: &Table, mut bytes: &[u8]) -> Result<Key, StoreError> {
    let corrupt = || StoreError::Corrupt(format!("a key of table {}", table.name));
    let mut key = Key::with_capacity(table.clustering.len());
    for column in table.clustering {
        key.push(match column.kind {
            ColumnType::Int => {
                let int = bytes.try_get_u64().map_err(|_| corrupt())?;
                KeyPart::Int((int ^ (1 << 63)).cast_signed())
            }
            ColumnType::Text => {
                KeyPart::Text(String::from_utf8(read_escaped(&mut bytes).ok_or_else(corrupt)?).map_err(|_| corrupt())?)
            }
            ColumnType::Blob => KeyPart::Blob(read_escaped(&mut bytes).ok_or_else(corrupt)?.into()),
        });
    }
    if bytes.is_empty() { Ok(key) } else { Err(corrupt()) }
}

fn read_escaped(bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let mut part = Vec::new();
    loop {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        if *first == 0 {
            let (second, rest) = bytes.split_first()?;
            *bytes = rest;
            match second {
                0 => return Some(part),
                0xFF => {}
                _ => return None,
            }
        }
        part.push(*first);
    }
}

const HAS_VALUE: u8 = 1;
const EXPIRES: u8 = 2;

/// A cell: flags, when it was written, when it expires (if it does), the value.
pub(super) fn encode_cell(cell: &Cell) -> Vec<u8> {
    let value = cell.value.as_deref().unwrap_or_default();
    let mut bytes = Vec::with_capacity(17 + value.len());
    bytes.put_u8(u8::from(cell.value.is_some()) * HAS_VALUE + u8::from(cell.expires.is_some()) * EXPIRES);
    bytes.put_i64(cell.written.0);
    if let Some(expires) = cell.expires {
        bytes.put_i64(expires.0);
    }
    bytes.extend_from_slice(value);
    bytes
}

pub(super) fn decode_cell(mut bytes: &[u8]) -> Result<Cell, StoreError> {
    let corrupt = |_| StoreError::Corrupt("a row is cut short".to_owned());
    let flags = bytes.try_get_u8().map_err(corrupt)?;
    let written = TimestampMicros(bytes.try_get_i64().map_err(corrupt)?);
    let expires = if flags & EXPIRES == 0 { None } else { Some(TimestampMicros(bytes.try_get_i64().map_err(corrupt)?)) };
    let value = (flags & HAS_VALUE != 0).then(|| Bytes::copy_from_slice(bytes));
    Ok(Cell { value, written, expires })
}

const OWNER: u8 = b'o';
const LOG: u8 = b'l';
const HEAD: u8 = 0;
const ENTRY: u8 = 1;

fn log_key(tag: u8, log: LogId) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(21);
    bytes.put_u8(tag);
    bytes.put_u8(match log.kind {
        LogKind::Rooms => 0,
        LogKind::Users => 1,
    });
    bytes.put_u16(log.shard.0);
    bytes
}

pub(super) fn owner_key(log: LogId) -> Vec<u8> {
    log_key(OWNER, log)
}

pub(super) fn head_key(log: LogId, bucket: u64) -> Vec<u8> {
    let mut bytes = log_key(LOG, log);
    bytes.put_u64(bucket);
    bytes.put_u8(HEAD);
    bytes
}

pub(super) fn entry_key(log: LogId, bucket: u64, seq: LogSeq) -> Vec<u8> {
    let mut bytes = log_key(LOG, log);
    bytes.put_u64(bucket);
    bytes.put_u8(ENTRY);
    bytes.put_u64(seq.0);
    bytes
}

pub(super) fn encode_owner(row: &OwnerRow) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(28 + row.owner.len() + row.addr.len());
    bytes.put_u64(row.epoch.0);
    bytes.put_u64(row.first_bucket);
    bytes.put_u64(row.hint_bucket);
    push_escaped(&mut bytes, row.owner.as_bytes());
    push_escaped(&mut bytes, row.addr.as_bytes());
    bytes
}

pub(super) fn decode_owner(mut bytes: &[u8]) -> Result<OwnerRow, StoreError> {
    let corrupt = || StoreError::Corrupt("an owner row".to_owned());
    let mut number = || bytes.try_get_u64().map_err(|_| corrupt());
    let (epoch, first_bucket, hint_bucket) = (Epoch(number()?), number()?, number()?);
    let mut text = || read_escaped(&mut bytes).and_then(|text| String::from_utf8(text).ok()).ok_or_else(corrupt);
    Ok(OwnerRow { epoch, owner: text()?, addr: text()?, first_bucket, hint_bucket })
}

pub(super) fn encode_head(head: &Head) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32 + head.owner.len());
    bytes.put_u64(head.epoch.0);
    bytes.put_u64(head.next_seq.0);
    bytes.put_u128(head.batch_id);
    bytes.extend_from_slice(head.owner.as_bytes());
    bytes
}

pub(super) fn decode_head(mut bytes: &[u8]) -> Result<Head, StoreError> {
    let corrupt = || StoreError::Corrupt("the head of a bucket".to_owned());
    let epoch = Epoch(bytes.try_get_u64().map_err(|_| corrupt())?);
    let next_seq = LogSeq(bytes.try_get_u64().map_err(|_| corrupt())?);
    let batch_id = bytes.try_get_u128().map_err(|_| corrupt())?;
    let owner = String::from_utf8(bytes.to_vec()).map_err(|_| corrupt())?;
    Ok(Head { epoch, owner, next_seq, batch_id })
}

pub(super) fn encode_entry(row: &LogRow) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + row.header.len() + row.body.len());
    // An entry is at most 96 KiB.
    bytes.put_u32(u32::try_from(row.header.len()).unwrap_or(u32::MAX));
    bytes.extend_from_slice(&row.header);
    bytes.extend_from_slice(&row.body);
    bytes
}

/// Reads an entry from its key and value.
pub(super) fn decode_entry(key: &[u8], value: &[u8]) -> Result<LogRow, StoreError> {
    let corrupt = || StoreError::Corrupt("an entry of a log".to_owned());
    let (_, mut seq) = key.split_at_checked(key.len().saturating_sub(8)).ok_or_else(corrupt)?;
    let seq = LogSeq(seq.try_get_u64().map_err(|_| corrupt())?);
    let mut value = Bytes::copy_from_slice(value);
    let header = usize::try_from(value.try_get_u32().map_err(|_| corrupt())?).map_err(|_| corrupt())?;
    if header > value.len() {
        return Err(corrupt());
    }
    Ok(LogRow { seq, header: value.split_to(header), body: value })
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::{Column, Compaction, Mode};

    const TABLE: Table = Table {
        name: "t",
        partition: &[Column::text("p")],
        clustering: &[Column::int("a"), Column::text("b"), Column::blob("c")],
        mode: Mode::Derived,
        compaction: Compaction::Leveled,
    };

    fn key() -> impl Strategy<Value = Key> {
        (-3_i64..3, "[a\u{0}\u{1}é]{0,3}", vec(prop_oneof![Just(0_u8), Just(1), Just(0xFF)], 0..3))
            .prop_map(|(int, text, blob)| vec![int.into(), text.into(), KeyPart::Blob(blob.into())])
    }

    proptest! {
        #[test]
        fn encoded_keys_sort_as_keys(left in key(), right in key()) {
            let encode = |key: &Key| { let mut bytes = Vec::new(); push_parts(&mut bytes, key); bytes };
            prop_assert_eq!(left.cmp(&right), encode(&left).cmp(&encode(&right)));
            prop_assert_eq!(clustering(&TABLE, &encode(&left)).unwrap(), left);
        }

        #[test]
        fn a_prefix_range_holds_what_begins_with_it(row in key(), bound in key(), length in 1_usize..4) {
            let prefix = partition_prefix("t", &crate::key!["p"]);
            let bound = bound[..length].to_vec();
            let encoded = row_key("t", &crate::key!["p"], &row);
            let (start, end) = key_range(&prefix, &Range::prefix(bound.clone(), 1)).unwrap();
            prop_assert_eq!((start..end).contains(&encoded), row.starts_with(&bound));
        }
    }

    #[test]
    fn rows_of_logs_read_back() {
        let owner = OwnerRow { epoch: Epoch(3), owner: "n\u{0}1".into(), addr: String::new(), first_bucket: 1, hint_bucket: 9 };
        assert_eq!(decode_owner(&encode_owner(&owner)).unwrap(), owner);
        let head = Head { epoch: Epoch(3), owner: "n1".into(), next_seq: LogSeq(7), batch_id: u128::MAX };
        assert_eq!(decode_head(&encode_head(&head)).unwrap(), head);
        let row = LogRow { seq: LogSeq(1025), header: Bytes::from_static(b"h"), body: Bytes::new() };
        let key = entry_key(LogId::rooms(banyan_core::ShardId(2)), 1, row.seq);
        assert_eq!(decode_entry(&key, &encode_entry(&row)).unwrap(), row);
        assert!(decode_entry(&key, &[0, 0, 0, 9]).is_err());
    }
}
