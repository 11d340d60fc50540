//! From log entries to what the tails keep of them.

use std::sync::Arc;

use banyan_core::LogSeq;
use banyan_log::Entry;
use banyan_proto::{
    rooms::{CurrentChange, EventStanding, Judged, Notified, Placed, Redacted, RoomEntry, RoomHead, StateRoot, room_entry::Kind},
    users::{UserEntry, user_entry::Kind as UserKind},
};
use banyan_rooms::{
    RoomPlace,
    reader::StoredEvent,
    tables::{receipt::PUBLIC, unread_total::EVERYBODY},
};
use banyan_users::account_data;
use bytes::Bytes;
use prost::Message;
use ruma::{OwnedEventId, OwnedRoomId, RoomId};

use crate::trace;

use super::change::{Counted, EventCell, MemberChange, Membership, RoomChange, RoomEvent, StateChange, UserChange, UserChangeKind};

/// A room entry, read.
#[derive(Debug, Default)]
pub struct DecodedRoom {
    /// What readers may have to be told.
    pub change: Option<RoomChange>,
    /// The room after it.
    pub head: Option<(Arc<str>, RoomHead)>,
    /// An event lost its content.
    pub redaction: Option<Redaction>,
    /// A user forgot the room.
    pub forgotten: Option<(Arc<str>, String)>,
    /// Push rules were checked on all events of the room below this position.
    pub judged: Option<(Arc<str>, LogSeq)>,
}

/// An event that lost its content.
#[derive(Debug)]
pub struct Redaction {
    /// The room.
    pub room: Arc<str>,
    /// The event.
    pub event_id: String,
    /// What is left of it.
    pub pdu: Bytes,
    /// The redaction event.
    pub because: Option<(OwnedEventId, Bytes)>,
}

/// Reads an entry of a room shard. Parts that cannot be read are left out with an alarm in the log: one bad event must not hide the
/// others of its shard.
#[must_use]
pub fn room_entry(entry: &Entry) -> DecodedRoom {
    let body = match RoomEntry::decode(entry.body.clone()) {
        Ok(body) => body,
        Err(error) => {
            tracing::error!(log = %entry.log, seq = %entry.seq, %error, "an entry cannot be read; it is left out of syncs");
            return DecodedRoom::default();
        }
    };
    let Ok(room_id) = OwnedRoomId::try_from(body.room_id.as_str()) else { return DecodedRoom::default() };
    let room: Arc<str> = body.room_id.as_str().into();
    let head = body.head.map(|head| RoomHead { seq: entry.seq.0, ..head });
    let mut decoded = DecodedRoom::default();
    let mut change = RoomChange {
        seq: entry.seq,
        at: entry.timestamp,
        room: room.clone(),
        event: None,
        state: Vec::new(),
        receipts: Vec::new(),
        device_list: None,
        counted: None,
        gap: None,
        bulk: false,
        wakes: false,
        trace: trace::recorded(&entry.traceparent),
        weight: 128,
    };
    match body.kind {
        Some(Kind::Placed(placed) | Kind::Judged(Judged { placed: Some(placed), .. })) => {
            change.event = timeline_event(entry, &room_id, placed, head.as_ref());
        }
        Some(Kind::Redacted(redacted)) => decoded.redaction = Some(redaction(&room, redacted)),
        Some(Kind::Forgotten(forgotten)) => decoded.forgotten = Some((room.clone(), forgotten.user_id)),
        Some(Kind::Gap(gap)) if !gap.closed => change.gap = Some(RoomPlace::new(gap.arrival, gap.sub)),
        Some(Kind::Imported(_)) => change.bulk = true,
        Some(Kind::Receipts(receipts)) => change.receipts = receipts.receipts,
        Some(Kind::DeviceList(member)) => change.device_list = Some(member.user_id),
        Some(Kind::Notified(notified)) => {
            decoded.judged = (notified.upto > 0).then(|| (room.clone(), LogSeq(notified.upto)));
            change.counted = counted(notified);
        }
        _ => {}
    }
    change.state = body.current.into_iter().map(|current| state_change(entry, &room_id, current, change.event.as_ref())).collect();
    change.event = change.event.filter(|event| event.get().stored.place.is_some_and(|place| place.sub == 0));
    let public = change.receipts.iter().any(|receipt| receipt.receipt_type == PUBLIC);
    let told = change.event.is_some() || !change.state.is_empty() || change.device_list.is_some();
    let everybody = change.counted.as_ref().is_some_and(|counted| counted.everybody);
    change.wakes = told || change.bulk || public || everybody;
    change.weight += change.event.as_ref().map_or(0, |event| event.get().weight());
    change.weight += change.state.iter().map(weight_of).sum::<usize>();
    change.weight += change.receipts.iter().map(|receipt| 128 + receipt.encoded_len()).sum::<usize>();
    change.weight += change.counted.iter().flat_map(|counted| &counted.users).map(|user| 24 + user.len()).sum::<usize>();
    if change.wakes || change.gap.is_some() || !change.receipts.is_empty() || change.counted.is_some() {
        decoded.change = Some(change);
    }
    decoded.head = head.map(|head| (room, head));
    decoded
}

/// Whose counts moved; `None`: nobody's.
fn counted(notified: Notified) -> Option<Counted> {
    let mut counted = Counted::default();
    for unread in notified.unread {
        if unread.user_id != EVERYBODY {
            counted.users.push(unread.user_id);
        } else if !unread.thread_id.is_empty() {
            counted.everybody = true;
        }
    }
    (counted != Counted::default()).then_some(counted)
}

fn weight_of(change: &StateChange) -> usize {
    let stripped = change.member.as_ref().map_or(0, |member| member.stripped.iter().map(Bytes::len).sum());
    96 + change.kind.len() + change.key.len() + stripped + change.event.as_ref().map_or(0, |event| event.get().weight())
}

/// The event of an entry. One that may not be shown has no place, so that only its effect on state is told.
fn timeline_event(entry: &Entry, room: &RoomId, placed: Placed, head: Option<&RoomHead>) -> Option<Arc<EventCell>> {
    let usual = head.is_some_and(|head| same_state(head.current.as_ref(), placed.state_after.as_ref()));
    let stored = StoredEvent {
        event_id: event_id(entry, &placed.event_id)?,
        room_id: room.to_owned(),
        pdu: placed.pdu,
        place: (!placed.soft_failed).then(|| RoomPlace::new(placed.arrival, placed.sub)),
        seq: entry.seq,
        received: entry.timestamp,
        standing: if placed.soft_failed { EventStanding::SoftFailed } else { EventStanding::Accepted },
        state_after: placed.state_after.filter(|_| !usual).unwrap_or_default(),
        replaces_state: OwnedEventId::try_from(placed.replaces_state).ok(),
        prev_content: placed.prev_content,
        prev_sender: placed.prev_sender,
        transaction: placed.transaction,
        redaction: None,
        gap_before: false,
    };
    cell(entry, stored, !usual)
}

/// Whether two states are written the same way, and so are the same.
fn same_state(one: Option<&StateRoot>, other: Option<&StateRoot>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one.root == other.root && one.deltas == other.deltas)
}

fn cell(entry: &Entry, stored: StoredEvent, forked: bool) -> Option<Arc<EventCell>> {
    match RoomEvent::new(stored, forked) {
        Ok(event) => Some(Arc::new(EventCell::new(event))),
        Err(error) => {
            tracing::error!(log = %entry.log, seq = %entry.seq, %error, "an event cannot be read; it is left out of syncs");
            None
        }
    }
}

fn event_id(entry: &Entry, text: &str) -> Option<OwnedEventId> {
    let id = OwnedEventId::try_from(text);
    id.inspect_err(|error| tracing::error!(log = %entry.log, seq = %entry.seq, %error, text, "not an event id")).ok()
}

/// A state event without a known place.
fn state_event(entry: &Entry, room: &RoomId, id: &str, pdu: Bytes) -> Option<Arc<EventCell>> {
    let stored = StoredEvent {
        event_id: event_id(entry, id)?,
        room_id: room.to_owned(),
        pdu,
        place: None,
        seq: entry.seq,
        received: entry.timestamp,
        standing: EventStanding::Accepted,
        state_after: StateRoot::default(),
        replaces_state: None,
        prev_content: Bytes::new(),
        prev_sender: String::new(),
        transaction: None,
        redaction: None,
        gap_before: false,
    };
    cell(entry, stored, true)
}

fn state_change(entry: &Entry, room: &RoomId, change: CurrentChange, own: Option<&Arc<EventCell>>) -> StateChange {
    let own = own.filter(|own| !change.event_id.is_empty() && own.get().stored.event_id == change.event_id.as_str()).cloned();
    let event = match own {
        None if !change.pdu.is_empty() => state_event(entry, room, &change.event_id, change.pdu),
        own => own,
    };
    let member = (change.r#type == "m.room.member").then(|| MemberChange {
        now: if change.event_id.is_empty() { Membership::Leave } else { Membership::from_text(&change.membership) },
        before: Membership::from_text(&change.previous_membership),
        sender: change.sender,
        stripped: change.stripped_state,
    });
    StateChange { kind: change.r#type, key: change.state_key, event_id: change.event_id, event, member }
}

fn redaction(room: &Arc<str>, redacted: Redacted) -> Redaction {
    Redaction {
        room: room.clone(),
        event_id: redacted.event_id,
        pdu: redacted.pruned_pdu,
        because: OwnedEventId::try_from(redacted.redaction_event_id).ok().map(|id| (id, redacted.redaction_pdu)),
    }
}

/// Reads an entry of a user shard; `None` where no connection need know of it.
#[must_use]
pub fn user_entry(entry: &Entry) -> Option<UserChange> {
    let body = match UserEntry::decode(entry.body.clone()) {
        Ok(body) => body,
        Err(error) => {
            tracing::error!(log = %entry.log, seq = %entry.seq, %error, "an entry cannot be read; it is left out of syncs");
            return None;
        }
    };
    let kind = match body.kind? {
        UserKind::AccountData(data) => UserChangeKind::AccountData { room: data.room_id, kind: data.r#type, content: data.content },
        UserKind::FullyRead(moved) => UserChangeKind::AccountData {
            content: account_data::fully_read(&moved.event_id),
            room: moved.room_id,
            kind: account_data::FULLY_READ.to_owned(),
        },
        UserKind::TokensRevoked(revoked) => UserChangeKind::Revoked(revoked.token_hashes),
        UserKind::Device(device) => UserChangeKind::Device(device.device_id, device.device.is_some()),
        UserKind::ToDeviceReceived(received) => {
            UserChangeKind::ToDevice(banyan_users::to_device::devices_of(&received).into_iter().map(str::to_owned).collect())
        }
        UserKind::DeviceList(_) => UserChangeKind::DeviceList,
        UserKind::KeyPool(filled) => UserChangeKind::Keys(filled.device_id),
        UserKind::KeyClaimed(claimed) => UserChangeKind::Keys(claimed.device_id),
        UserKind::Account(account) if account.deactivated => UserChangeKind::Deactivated,
        UserKind::Account(account) => UserChangeKind::Locked(account.locked),
        _ => return None,
    };
    Some(UserChange { seq: entry.seq, at: entry.timestamp, user: body.user_id.as_str().into(), kind })
}
