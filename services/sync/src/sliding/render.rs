//! The JSON of a response.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value, json};

use super::{
    account_data,
    request::Form,
    rooms::{Hero, Timeline, Told},
    to_device,
};
use crate::{
    app::Context,
    error::SyncError,
    render::{Sink, write_event, write_event_with},
    tails::change::Membership,
};
use banyan_rooms::{
    reader::{RoomUnread, UnreadCounts},
    stream_token::PlaceToken,
};

/// The JSON of a room. `lists`: the names of those that show it.
pub(super) fn room(context: &Context, form: Form, told: &Told, lists: &[String]) -> Result<Vec<u8>, SyncError> {
    let mut fields = json!({"bump_stamp": told.bump_stamp, "membership": told.membership.as_str()});
    let mut set = |name: &str, value: Option<Value>| {
        if let (Some(value), Some(fields)) = (value, fields.as_object_mut()) {
            fields.insert(name.to_owned(), value);
        }
    };
    set("initial", told.initial.then_some(Value::Bool(true)));
    set(names(form).expanded_timeline, told.expanded.then_some(Value::Bool(true)));
    let unread = told.unread.as_ref().map(RoomUnread::all);
    // Clients of this form count on the members being there.
    if let Some(unread) = unread.or_else(|| (form == Form::Unstable).then(UnreadCounts::default)) {
        set("notification_count", Some(json!(unread.notifications)));
        set("highlight_count", Some(json!(unread.highlights)));
    }
    set("name", told.name.as_ref().map(|name| json!(name)));
    set("avatar", told.avatar.as_ref().map(|avatar| json!(avatar)));
    set("heroes", told.heroes.as_ref().map(|heroes| heroes.iter().map(hero).collect()));
    set("is_dm", told.dm.map(Value::Bool));
    set("joined_count", told.joined.map(|count| json!(count)));
    set("invited_count", told.invited.map(|count| json!(count)));
    set("lists", (!lists.is_empty()).then(|| json!(lists)));
    if let Some(timeline) = &told.timeline {
        set("limited", Some(Value::Bool(timeline.limited)));
        set("num_live", Some(json!(timeline.live)));
        set("prev_batch", Some(json!(PlaceToken(timeline.prev_batch).to_string())));
    }
    let mut out = fields.to_string().into_bytes();
    out.pop();
    if !told.required_state.is_empty() || !told.removed.is_empty() {
        required_state(&mut out, context, told)?;
    }
    if let Some(timeline) = told.timeline.as_ref().filter(|timeline| !timeline.events.is_empty()) {
        self::timeline(&mut out, context, timeline)?;
    }
    if let Some(stripped) = &told.stripped_state {
        out.extend_from_slice(format!(",\"{}\":[", names(form).stripped_state).as_bytes());
        list(&mut out, stripped);
        out.push(b']');
    }
    out.push(b'}');
    Ok(out)
}

/// Fields whose names are not the same in both forms.
struct Names {
    expanded_timeline: &'static str,
    stripped_state: &'static str,
}

const fn names(form: Form) -> Names {
    match form {
        Form::Unstable => Names { expanded_timeline: "unstable_expanded_timeline", stripped_state: "invite_state" },
        Form::Stable => Names { expanded_timeline: "expanded_timeline", stripped_state: "stripped_state" },
    }
}

/// State events, and stubs of what is there no more.
fn required_state(out: &mut Vec<u8>, context: &Context, told: &Told) -> Result<(), SyncError> {
    out.extend_from_slice(b",\"required_state\":[");
    for (index, event) in told.required_state.iter().enumerate() {
        comma(out, index);
        write_event(out, context, event, None::<Membership>)?;
    }
    for (index, (kind, key)) in told.removed.iter().enumerate() {
        comma(out, told.required_state.len() + index);
        out.extend_from_slice(json!({ "type": kind, "state_key": key }).to_string().as_bytes());
    }
    out.push(b']');
    Ok(())
}

fn timeline(out: &mut Vec<u8>, context: &Context, timeline: &Timeline) -> Result<(), SyncError> {
    out.extend_from_slice(b",\"timeline\":[");
    for (index, shown) in timeline.events.iter().enumerate() {
        comma(out, index);
        let relations = timeline.relations.get(&shown.event.stored.event_id).map(Vec::as_slice);
        write_event_with(out, context, &shown.event, Some(shown.membership), relations)?;
    }
    out.push(b']');
    Ok(())
}

fn hero(hero: &Hero) -> Value {
    let mut value = Map::new();
    value.insert("user_id".to_owned(), json!(hero.user));
    if let Some(name) = &hero.name {
        value.insert("displayname".to_owned(), json!(name));
    }
    if let Some(avatar) = &hero.avatar {
        value.insert("avatar_url".to_owned(), json!(avatar));
    }
    Value::Object(value)
}

fn comma(out: &mut Vec<u8>, index: usize) {
    if index > 0 {
        out.push(b',');
    }
}

fn list(out: &mut Vec<u8>, events: &[Vec<u8>]) {
    for (index, event) in events.iter().enumerate() {
        comma(out, index);
        out.extend_from_slice(event);
    }
}

/// A response while it is written: rooms as they are made, then what is known at the end.
pub(super) struct Body<'a> {
    sink: &'a mut Sink,
    causes: Vec<String>,
    rooms: usize,
}

impl<'a> Body<'a> {
    /// Nothing goes out before there is a room, or the end.
    pub(super) const fn new(sink: &'a mut Sink) -> Self {
        Self { sink, causes: Vec::new(), rooms: 0 }
    }

    /// What the response tells comes of these, unless a room went out already.
    pub(super) fn caused_by(&mut self, causes: Vec<String>) {
        self.causes = causes;
    }

    /// How many rooms were written.
    pub(super) const fn rooms(&self) -> usize {
        self.rooms
    }

    /// Writes a room.
    pub(super) async fn room(&mut self, room: &str, json: &[u8]) -> Result<(), SyncError> {
        self.begin();
        member(self.sink, self.rooms, room, json);
        self.rooms += 1;
        self.sink.flush_full().await
    }

    /// Writes the rest: the lists with their counts, the extensions (each JSON), and the position.
    pub(super) async fn end(
        mut self,
        pos: &str,
        lists: &BTreeMap<String, usize>,
        extensions: &[(&'static str, Vec<u8>)],
    ) -> Result<(), SyncError> {
        self.begin();
        let lists: Map<String, Value> = lists.iter().map(|(name, count)| (name.clone(), json!({ "count": count }))).collect();
        self.sink.put(format!("}},\"lists\":{},\"extensions\":{{", Value::Object(lists)).as_bytes());
        for (index, (name, json)) in extensions.iter().enumerate() {
            member(self.sink, index, name, json);
        }
        self.sink.put(format!("}},\"pos\":{}}}", json!(pos)).as_bytes());
        self.sink.finish().await
    }

    fn begin(&mut self) {
        if self.rooms == 0 {
            self.sink.caused_by(std::mem::take(&mut self.causes));
            self.sink.put(b"{\"rooms\":{");
        }
    }
}

fn member(sink: &mut Sink, index: usize, name: &str, json: &[u8]) {
    if index > 0 {
        sink.put(b",");
    }
    sink.put(json!(name).to_string().as_bytes());
    sink.put(b":");
    sink.put(json);
}

/// The JSON of the extension `account_data`.
pub(super) fn account_data(told: &account_data::Told) -> Vec<u8> {
    let mut out = b"{\"global\":[".to_vec();
    list(&mut out, &told.global);
    out.extend_from_slice(b"],\"rooms\":{");
    for (index, (room, events)) in told.rooms.iter().enumerate() {
        comma(&mut out, index);
        out.extend_from_slice(json!(&**room).to_string().as_bytes());
        out.extend_from_slice(b":[");
        list(&mut out, events);
        out.push(b']');
    }
    out.extend_from_slice(b"}}");
    out
}

/// The JSON of an extension that tells an event (JSON) by room.
pub(super) fn by_room(told: &[(Arc<str>, Vec<u8>)]) -> Vec<u8> {
    let mut out = b"{\"rooms\":{".to_vec();
    for (index, (room, event)) in told.iter().enumerate() {
        comma(&mut out, index);
        out.extend_from_slice(json!(&**room).to_string().as_bytes());
        out.push(b':');
        out.extend_from_slice(event);
    }
    out.extend_from_slice(b"}}");
    out
}

/// The JSON of the extension `to_device`.
pub(super) fn to_device(told: &to_device::Told) -> Vec<u8> {
    let mut out = format!("{{\"next_batch\":\"{}\",\"events\":[", told.next_batch).into_bytes();
    list(&mut out, &told.events);
    out.extend_from_slice(b"]}");
    out
}
