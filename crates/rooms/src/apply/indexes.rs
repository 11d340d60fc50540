//! Rows by which events are found otherwise than by place or id.

use banyan_log::DerivedRow;
use banyan_proto::rooms::{AnnotationRow, Placed, Redacted, Relation, RelationRow, ThreadReplyRow};
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    RoomPlace, relation,
    tables::{self, annotation, event_time, related, thread_reply},
};

/// What of an event its index rows are made of.
#[derive(Deserialize)]
struct Indexed {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    sender: String,
    #[serde(default)]
    origin_server_ts: i64,
    #[serde(default)]
    state_key: Option<IgnoredAny>,
    #[serde(default)]
    content: Content,
}

#[derive(Default, Deserialize)]
struct Content {
    #[serde(default, rename = "m.new_content")]
    new_content: Option<IgnoredAny>,
}

/// The rows of an event that clients are shown. One that cannot be read has none.
pub(super) fn of_placed(room_id: &str, seq: u64, placed: &Placed) -> Vec<DerivedRow> {
    let Ok(event) = serde_json::from_slice::<Indexed>(&placed.pdu) else { return Vec::new() };
    let place = RoomPlace::new(placed.arrival, placed.sub);
    let mut rows: Vec<DerivedRow> = event_time::put(room_id, event.origin_server_ts, place, &placed.event_id).into();
    if let Some(relation) = &placed.relation {
        rows.extend(of_relation(room_id, seq, placed, &event, relation));
    }
    rows
}

fn of_relation(room_id: &str, seq: u64, placed: &Placed, event: &Indexed, relation: &Relation) -> Vec<DerivedRow> {
    let place = RoomPlace::new(placed.arrival, placed.sub);
    let (target, rel_type) = (relation.event_id.as_str(), relation.rel_type.as_str());
    let row = RelationRow {
        event_id: placed.event_id.clone(),
        sender: event.sender.clone(),
        r#type: event.kind.clone(),
        origin_server_ts: event.origin_server_ts,
        state: event.state_key.is_some(),
        new_content: event.content.new_content.is_some(),
        seq,
    };
    let mut rows: Vec<DerivedRow> = tables::relation::put(room_id, target, rel_type, place, &row).into();
    if relation.placed {
        rows.push(related::put(room_id, RoomPlace::new(relation.arrival, relation.sub), target));
    }
    let event_id = placed.event_id.clone();
    match rel_type {
        relation::THREAD => {
            let row = ThreadReplyRow { root: target.to_owned(), event_id, sender: event.sender.clone() };
            rows.push(thread_reply::put(room_id, place, &row));
        }
        relation::ANNOTATION if !relation.key.is_empty() => {
            let name = (event.sender.as_str(), event.kind.as_str(), relation.key.as_str());
            rows.push(annotation::put(room_id, target, name, &AnnotationRow { event_id }));
        }
        _ => {}
    }
    rows
}

/// Takes back the rows of an event that was redacted: it relates to nothing any more.
pub(super) fn of_redacted(room_id: &str, redacted: &Redacted) -> Vec<DerivedRow> {
    let Some(relation) = redacted.relation.as_ref().filter(|_| redacted.placed) else { return Vec::new() };
    let place = RoomPlace::new(redacted.arrival, redacted.sub);
    let (target, rel_type) = (relation.event_id.as_str(), relation.rel_type.as_str());
    let mut rows: Vec<DerivedRow> = tables::relation::delete(room_id, target, rel_type, place).into();
    match rel_type {
        relation::THREAD => rows.push(thread_reply::delete(room_id, place)),
        relation::ANNOTATION if !relation.key.is_empty() => {
            // Sender and type outlive a redaction.
            if let Ok(Indexed { sender, kind, .. }) = serde_json::from_slice(&redacted.pruned_pdu) {
                rows.push(annotation::delete(room_id, target, (&sender, &kind, &relation.key)));
            }
        }
        _ => {}
    }
    rows
}
