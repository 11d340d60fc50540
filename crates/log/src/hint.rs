//! What an owner tells followers over the bus.

use banyan_bus::Message;
use banyan_core::{Epoch, LogId, LogSeq};
use banyan_proto::log as wire;
use banyan_store::LogRow;
use bytes::{BufMut, Bytes, BytesMut};
use prost::{
    Message as _,
    encoding::{WireType, encode_key, encode_varint, encoded_len_varint},
};

/// Larger batches are announced without their entries: a bus message holds at most 1 MiB.
const MAX_ENTRY_BYTES: usize = 512 * 1024;

/// The header of the trace that a hint belongs to.
pub(crate) const TRACEPARENT: &str = "traceparent";

/// The subject of a log's hints.
pub(crate) fn subject(log: LogId) -> String {
    log.to_string()
}

/// The subject of a log's beacons.
pub(crate) fn beacon_subject(log: LogId) -> String {
    format!("{log}.beacon")
}

/// The hint of a batch that was committed and applied.
pub(crate) fn hint(subject: String, epoch: Epoch, rows: &[LogRow], applied: LogSeq, traceparent: String) -> Message {
    let first_seq = rows.first().map_or(applied.0, |row| row.seq.0);
    let frame = wire::Hint { first_seq, applied: applied.0, epoch: epoch.0, entries: Vec::new() };
    let small = rows.iter().map(|row| row.header.len() + row.body.len()).sum::<usize>() <= MAX_ENTRY_BYTES;
    let entries = if small { rows } else { &[] };
    let mut payload = BytesMut::with_capacity(32 + entries.iter().map(|row| row.header.len() + row.body.len() + 24).sum::<usize>());
    frame.encode_raw(&mut payload);
    for row in entries {
        put_entry(&mut payload, row);
    }
    let headers = if traceparent.is_empty() { Vec::new() } else { vec![(TRACEPARENT.to_owned(), traceparent)] };
    Message { subject, headers, payload: payload.freeze() }
}

/// Writes one `Hint.entries`: the header is encoded already and goes in as it is.
fn put_entry(payload: &mut BytesMut, row: &LogRow) {
    let field = |len: usize| 1 + encoded_len_varint(len as u64) + len;
    encode_key(4, WireType::LengthDelimited, payload);
    encode_varint((field(row.header.len()) + field(row.body.len())) as u64, payload);
    for (tag, bytes) in [(1, &row.header), (2, &row.body)] {
        encode_key(tag, WireType::LengthDelimited, payload);
        encode_varint(bytes.len() as u64, payload);
        payload.put_slice(bytes);
    }
}

/// The beacon of an owner.
pub(crate) fn beacon(log: LogId, epoch: Epoch, next_seq: LogSeq, applied: LogSeq) -> Message {
    let beacon = wire::Beacon { next_seq: next_seq.0, applied: applied.0, epoch: epoch.0 };
    Message { subject: beacon_subject(log), headers: Vec::new(), payload: Bytes::from(beacon.encode_to_vec()) }
}

#[cfg(test)]
mod tests {
    use banyan_core::ShardId;

    use super::*;

    #[test]
    fn a_hint_reads_as_its_protobuf() {
        let rows: Vec<LogRow> = (5..8)
            .map(|seq| crate::header::padding(LogSeq(seq), banyan_core::TimestampMicros(9)))
            .map(|row| LogRow { body: Bytes::from(vec![1; 300]), ..row })
            .collect();
        let message = hint(subject(LogId::rooms(ShardId(1))), Epoch(4), &rows, LogSeq(8), "00-a-b-01".to_owned());
        let read = wire::Hint::decode(message.payload).unwrap();
        assert_eq!((read.first_seq, read.applied, read.epoch, read.entries.len()), (5, 8, 4, 3));
        assert_eq!(read.entries[2].body, rows[2].body);
        assert!(read.entries[2].header.as_ref().unwrap().padding);
    }

    #[test]
    fn a_large_batch_is_announced_without_its_entries() {
        let row = crate::header::padding(LogSeq(0), banyan_core::TimestampMicros(9));
        let rows = vec![LogRow { body: Bytes::from(vec![1; 600 * 1024]), ..row }];
        let read = wire::Hint::decode(hint("rm.1".to_owned(), Epoch(1), &rows, LogSeq(1), String::new()).payload).unwrap();
        assert!(read.entries.is_empty());
        assert_eq!(read.applied, 1);
    }
}
