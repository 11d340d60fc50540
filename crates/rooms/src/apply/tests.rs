use banyan_core::{LogId, LogSeq, ShardId, TimestampMicros};
use banyan_proto::rooms::{StateRoot, Unstaged};
use banyan_store::{Key, KeyPart};

use super::*;

fn entry(kind: Kind) -> Entry {
    let body = RoomEntry { room_id: "!r:x".to_owned(), kind: Some(kind), ..RoomEntry::default() };
    Entry {
        log: LogId::rooms(ShardId(5)),
        seq: LogSeq(77),
        timestamp: TimestampMicros(1_000),
        request: None,
        targets: Vec::new(),
        source: None,
        traceparent: String::new(),
        body: body.encode_to_vec().into(),
    }
}

/// Table, partition and clustering key, and the value of what a kind of entry writes; no value: removed.
fn rows(kind: Kind) -> Vec<(&'static str, Key, Option<Bytes>)> {
    let derived = RoomApplier.derive(&entry(kind)).unwrap();
    let flat = derived.into_iter().map(|row| {
        let (clustering, value) = match row.write {
            Write::Put { clustering, value, .. } => (clustering, Some(value)),
            Write::Delete { clustering } => (clustering, None),
        };
        (row.table.name, row.partition.into_iter().chain(clustering).collect(), value)
    });
    flat.collect()
}

fn names(rows: &[(&'static str, Key, Option<Bytes>)]) -> Vec<(&'static str, bool)> {
    rows.iter().map(|(name, _, value)| (*name, value.is_some())).collect()
}

fn placed() -> Placed {
    Placed { event_id: "$e".to_owned(), pdu: "{}".into(), arrival: 600, sub: -2, ..Placed::default() }
}

#[test]
fn what_was_staged_is_removed_under_the_sequence_that_staged_it() {
    let received = Received { event_id: "$e".to_owned(), pdu: "{}".into(), origin: "o".to_owned() };
    let staged = rows(Kind::Received(received));
    assert_eq!(names(&staged), [("staged_event", true)]);
    assert_eq!(staged[0].1[1], KeyPart::Int(77));
    let gone = rows(Kind::Unstaged(Unstaged { event_id: "$e".to_owned(), received_seq: 77 }));
    assert_eq!((gone[0].0, &gone[0].1, &gone[0].2), ("staged_event", &staged[0].1, &None));
}

#[test]
fn a_place_lies_in_the_bucket_of_its_arrival() {
    let rows = rows(Kind::Placed(placed()));
    assert_eq!(names(&rows)[..2], [("event", true), ("timeline", true)]);
    assert_eq!(rows[1].1, [KeyPart::from("!r:x"), 1.into(), 600.into(), (-2).into()]);
    let row = TimelineRow::decode(rows[1].2.clone().unwrap()).unwrap();
    assert_eq!((row.seq, row.received), (77, 1_000));
}

#[test]
fn an_event_is_filed_under_its_day_unless_it_is_not_shown() {
    let pdu = r#"{"type":"m.room.message","sender":"@a:x","origin_server_ts":86400007,"content":{}}"#;
    let rows_of = |soft_failed| rows(Kind::Placed(Placed { pdu: pdu.into(), soft_failed, ..placed() }));
    let filed = rows_of(false);
    let time = filed.iter().find(|(name, ..)| *name == "event_time").unwrap();
    assert_eq!(time.1, [KeyPart::from("!r:x"), 1.into(), 86_400_007.into(), 600.into(), (-2).into()]);
    assert!(filed.iter().any(|(name, key, _)| *name == "event_day" && key[1] == KeyPart::Int(1)));
    assert_eq!(names(&rows_of(true)), [("event", true), ("timeline", true)]);
}

#[test]
fn an_event_without_a_place_keeps_its_body_until_it_has_one() {
    let outlier = Outlier { event_id: "$e".to_owned(), pdu: "{}".into(), standing: EventStanding::Rejected.into() };
    let before = rows(Kind::Outlier(outlier));
    let row = EventRow::decode(before[0].2.clone().unwrap()).unwrap();
    assert_eq!((row.placed, &row.pdu[..], standing(row.standing)), (false, &b"{}"[..], EventStanding::Rejected));
    let judged = Judged { event_id: "$e".to_owned(), placed: Some(placed()), ..Judged::default() };
    let after = rows(Kind::Judged(judged));
    assert_eq!(names(&after)[..2], [("event", true), ("timeline", true)]);
    assert_eq!(after[0].1, before[0].1);
    let row = EventRow::decode(after[0].2.clone().unwrap()).unwrap();
    assert_eq!((row.placed, row.pdu.len(), row.arrival, row.sub), (true, 0, 600, -2));
}

#[test]
fn gaps_imports_and_intents_come_and_go() {
    let gap = |closed| Gap { arrival: 3, sub: 0, missing: vec!["$m".to_owned()], closed };
    assert_eq!(names(&rows(Kind::Gap(gap(false)))), [("gap", true)]);
    assert_eq!(names(&rows(Kind::Gap(gap(true)))), [("gap", false)]);
    let imported = Imported { import_id: "i".into(), state: Some(StateRoot::default()), ..Imported::default() };
    assert_eq!(names(&rows(Kind::Imported(imported))), [("import", true)]);
    let intent = |done| Intent { name: "upgrade".to_owned(), command: "c".into(), done };
    let begun = rows(Kind::Intent(intent(false)));
    assert_eq!(begun[0].1[0], KeyPart::from("rm.5"));
    assert_eq!(names(&rows(Kind::Intent(intent(true)))), [("intent", false)]);
    let published = |published| Published { tenant: "x".to_owned(), published, joined: 1 };
    assert_eq!(names(&rows(Kind::Published(published(true)))), [("published_room", true)]);
    assert_eq!(names(&rows(Kind::Published(published(false)))), [("published_room", false)]);
}

#[test]
fn an_alias_that_moves_leaves_its_old_room() {
    let change = AliasChanged {
        alias: "#a:x".to_owned(),
        room_id_of_alias: "!new:x".to_owned(),
        previous_room_id: "!old:x".to_owned(),
        ..AliasChanged::default()
    };
    assert_eq!(names(&rows(Kind::Alias(change))), [("room_alias", true), ("alias_by_room", true), ("alias_by_room", false)]);
}

#[test]
fn a_redaction_of_what_has_no_place_writes_no_timeline() {
    let redacted = Redacted { event_id: "$e".to_owned(), pruned_pdu: "{}".into(), ..Redacted::default() };
    assert_eq!(names(&rows(Kind::Redacted(redacted))), [("event", true)]);
}

#[test]
fn a_transaction_is_remembered_for_a_while() {
    let transaction = banyan_proto::rooms::Transaction { txn_id: "t".to_owned(), ..Default::default() };
    let derived = RoomApplier.derive(&entry(Kind::Placed(Placed { transaction: Some(transaction), ..placed() }))).unwrap();
    let row = derived.iter().find(|row| row.table.name == "transaction").unwrap();
    assert!(matches!(row.write, Write::Put { ttl: Some(ttl), .. } if ttl == transaction::LIFETIME));
}

#[test]
fn what_is_no_entry_is_an_error() {
    let mut broken = entry(Kind::Gap(Gap::default()));
    broken.body = Bytes::from_static(b"\xff\xff\xff");
    assert!(RoomApplier.derive(&broken).is_err());
}

#[test]
fn a_receipt_is_filed_by_its_user_and_only_a_public_one_by_its_room() {
    let receipt = |receipt_type: &str| banyan_proto::rooms::Receipt {
        user_id: "@a:x".to_owned(),
        receipt_type: receipt_type.to_owned(),
        thread_id: "main".to_owned(),
        slot: 3,
        ..Default::default()
    };
    let rows = rows(Kind::Receipts(Receipts { receipts: vec![receipt("m.read"), receipt("m.read.private")] }));
    assert_eq!(names(&rows), [("receipt", true), ("recent_receipt", true), ("receipt", true)]);
    assert_eq!(rows[0].1[2..], [KeyPart::from("!r:x"), KeyPart::from("m.read"), KeyPart::from("main")]);
    assert_eq!(rows[1].1, [KeyPart::from("!r:x"), 3.into()]);
}
