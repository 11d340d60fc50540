//! `m.typing` in a room's ephemeral section (client-server specification, "Typing Notifications").

use std::{collections::BTreeMap, sync::Arc};

use serde_json::json;

use super::{RoomAnswer, RoomBody};
use crate::filter::Filter;

/// Whether a filter takes the event.
pub(super) fn takes(filter: &Filter, room: &str) -> bool {
    filter.rooms.takes(room) && filter.ephemeral.takes_room(room) && filter.ephemeral.takes_type("m.typing")
}

/// The event, as JSON.
pub(crate) fn event(users: &[String]) -> Vec<u8> {
    json!({ "content": { "user_ids": users }, "type": "m.typing" }).to_string().into_bytes()
}

/// Adds to the answers who types.
pub(super) fn tell(answers: &mut Vec<(Arc<str>, RoomAnswer)>, rooms: BTreeMap<Arc<str>, Vec<String>>) {
    for (room, users) in rooms {
        let event = event(&users);
        match answers.iter_mut().find(|(id, _)| *id == room) {
            Some((_, RoomAnswer::Joined(body))) => body.ephemeral.push(event),
            Some(_) => {}
            None => {
                let body = RoomBody { ephemeral: vec![event], ..RoomBody::unchanged() };
                answers.push((room, RoomAnswer::Joined(body)));
            }
        }
    }
}
