//! One room.

use banyan_rooms::{
    reader::{RoomUnread, UnreadCounts},
    stream_token::PlaceToken,
};
use serde_json::{Map, Value, json};

use super::event;
use crate::{
    app::{Context, RoomAnswer, RoomBody, Summary},
    error::SyncError,
    tails::change::Membership,
};

/// The JSON of a room. `account_data`: events, each JSON.
///
/// # Errors
/// If a stored event is none.
pub fn room(context: &Context, answer: &RoomAnswer, account_data: &[Vec<u8>]) -> Result<Vec<u8>, SyncError> {
    let mut out = Vec::with_capacity(1024);
    match answer {
        RoomAnswer::Invited(events) => list(&mut out, b"{\"invite_state\":{\"events\":[", events),
        RoomAnswer::Knocked(events) => list(&mut out, b"{\"knock_state\":{\"events\":[", events),
        RoomAnswer::Joined(body) => {
            members(&mut out, context, body, account_data)?;
            list(&mut out, b",\"ephemeral\":{\"events\":[", &body.ephemeral);
            out.extend_from_slice(b",\"summary\":");
            summary(&mut out, body.summary.as_ref());
            if let Some(counts) = &body.unread {
                unread(&mut out, counts, context.filter.unread_threads);
            }
        }
        RoomAnswer::Left(body) => members(&mut out, context, body, account_data)?,
    }
    out.push(b'}');
    Ok(out)
}

fn list(out: &mut Vec<u8>, open: &[u8], events: &[Vec<u8>]) {
    out.extend_from_slice(open);
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(event);
    }
    out.extend_from_slice(b"]}");
}

/// What joined and left rooms have.
fn members(out: &mut Vec<u8>, context: &Context, body: &RoomBody, account_data: &[Vec<u8>]) -> Result<(), SyncError> {
    out.extend_from_slice(b"{\"timeline\":{\"events\":[");
    for (index, shown) in body.timeline.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let relations = body.relations.get(&shown.event.stored.event_id).map(Vec::as_slice);
        event::write_with(out, context, &shown.event, Some(shown.membership), relations)?;
    }
    out.extend_from_slice(b"],\"limited\":");
    out.extend_from_slice(if body.limited { b"true" } else { b"false" });
    out.extend_from_slice(b",\"prev_batch\":\"");
    out.extend_from_slice(PlaceToken(body.prev_batch).to_string().as_bytes());
    out.extend_from_slice(if context.state_after { b"\"},\"state_after\":{\"events\":[" } else { b"\"},\"state\":{\"events\":[" });
    for (index, state) in body.state.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        event::write(out, context, state, None::<Membership>)?;
    }
    out.extend_from_slice(b"]},");
    list(out, b"\"account_data\":{\"events\":[", account_data);
    Ok(())
}

fn unread(out: &mut Vec<u8>, unread: &RoomUnread, by_thread: bool) {
    let counts = |of: UnreadCounts| json!({"notification_count": of.notifications, "highlight_count": of.highlights});
    let main = if by_thread { unread.main } else { unread.all() };
    out.extend_from_slice(b",\"unread_notifications\":");
    out.extend_from_slice(counts(main).to_string().as_bytes());
    if by_thread && !unread.threads.is_empty() {
        let threads: Map<String, Value> = unread.threads.iter().map(|(root, of)| (root.clone(), counts(*of))).collect();
        out.extend_from_slice(b",\"unread_thread_notifications\":");
        out.extend_from_slice(Value::Object(threads).to_string().as_bytes());
    }
}

fn summary(out: &mut Vec<u8>, summary: Option<&Summary>) {
    let mut value = json!({});
    if let Some(summary) = summary {
        value = json!({"m.joined_member_count": summary.joined, "m.invited_member_count": summary.invited});
        if let Some(heroes) = &summary.heroes {
            value["m.heroes"] = json!(heroes);
        }
    }
    out.extend_from_slice(value.to_string().as_bytes());
}
