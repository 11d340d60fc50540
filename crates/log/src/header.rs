//! An entry's header as bytes and back.

use banyan_core::{LogId, LogSeq, RequestId, ShardId, TimestampMicros};
use banyan_proto::log as wire;
use banyan_store::{LogRow, StoreError};
use bytes::Bytes;
use prost::Message;

use crate::{Entry, Source};

/// What a place of the log holds.
#[derive(Clone, Debug)]
pub(crate) enum Slot {
    /// An entry.
    Entry(Entry),
    /// Nothing: it fills a bucket's end.
    Padding(TimestampMicros),
}

impl Slot {
    pub(crate) const fn timestamp(&self) -> TimestampMicros {
        match self {
            Self::Entry(entry) => entry.timestamp,
            Self::Padding(timestamp) => *timestamp,
        }
    }

    pub(crate) fn into_entry(self) -> Option<Entry> {
        if let Self::Entry(entry) = self { Some(entry) } else { None }
    }
}

/// The header of an entry.
pub(crate) fn encode(entry: &Entry) -> Bytes {
    let header = wire::EntryHeader {
        timestamp: entry.timestamp.0,
        request_id: entry.request.map_or_else(Bytes::new, |(id, _)| Bytes::copy_from_slice(&id.to_bytes())),
        request_index: entry.request.map_or(0, |(_, index)| index),
        targets: entry.targets.iter().map(|shard| u32::from(shard.0)).collect(),
        source: entry.source.map(|source| wire::Source { log: source.log.to_string(), seq: source.seq.0, part: source.part }),
        padding: false,
        traceparent: entry.traceparent.clone(),
    };
    header.encode_to_vec().into()
}

/// The row of a place that is left empty.
pub(crate) fn padding(seq: LogSeq, timestamp: TimestampMicros) -> LogRow {
    let header = wire::EntryHeader { timestamp: timestamp.0, padding: true, ..Default::default() };
    LogRow { seq, header: header.encode_to_vec().into(), body: Bytes::new() }
}

/// Reads a stored row.
pub(crate) fn decode_row(log: LogId, row: LogRow) -> Result<Slot, StoreError> {
    let LogRow { seq, header, body } = row;
    let header = wire::EntryHeader::decode(header).map_err(|error| corrupt(log, seq, &error.to_string()))?;
    decode(log, seq, header, body)
}

/// Reads a header.
pub(crate) fn decode(log: LogId, seq: LogSeq, header: wire::EntryHeader, body: Bytes) -> Result<Slot, StoreError> {
    let timestamp = TimestampMicros(header.timestamp);
    if header.padding {
        return Ok(Slot::Padding(timestamp));
    }
    let shard = |shard: u32| u16::try_from(shard).map(ShardId).map_err(|_| corrupt(log, seq, "a target is no shard"));
    let source = |source: wire::Source| {
        let from = source.log.parse().map_err(|_| corrupt(log, seq, "the source is no log"))?;
        Ok(Source { log: from, seq: LogSeq(source.seq), part: source.part })
    };
    Ok(Slot::Entry(Entry {
        log,
        seq,
        timestamp,
        request: RequestId::from_slice(&header.request_id).map(|id| (id, header.request_index)),
        targets: header.targets.into_iter().map(shard).collect::<Result<_, _>>()?,
        source: header.source.map(source).transpose()?,
        traceparent: header.traceparent,
        body,
    }))
}

fn corrupt(log: LogId, seq: LogSeq, what: &str) -> StoreError {
    StoreError::Corrupt(format!("header of entry {seq} of {log}: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_survives_its_header() {
        let entry = Entry {
            log: LogId::rooms(ShardId(3)),
            seq: LogSeq(77),
            timestamp: TimestampMicros(1_700_000_000_000_000),
            request: Some((RequestId(99), 2)),
            targets: vec![ShardId(1), ShardId(63)],
            source: Some(Source { log: LogId::users(ShardId(8)), seq: LogSeq(5), part: 1 }),
            traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
            body: Bytes::from_static(b"body"),
        };
        let row = LogRow { seq: entry.seq, header: encode(&entry), body: entry.body.clone() };
        let slot = decode_row(entry.log, row).unwrap();
        assert!(matches!(slot, Slot::Entry(read) if read == entry));
    }

    #[test]
    fn padding_is_no_entry() {
        let row = padding(LogSeq(5), TimestampMicros(8));
        assert!(matches!(decode_row(LogId::rooms(ShardId(0)), row).unwrap(), Slot::Padding(TimestampMicros(8))));
    }
}
