//! Stripped state: what someone who is not in a room gets to see of it (client-server specification, "Stripped state").

use bytes::Bytes;
use ruma::{UserId, events::StateEventType};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{pdu::Pdu, state::StateKey};

/// The keys whose events are shown to whom `sender` invites, or who knocks as `sender`.
#[must_use]
pub fn stripped_keys(sender: &UserId) -> Vec<StateKey> {
    let mut keys = vec![
        StateKey::plain(StateEventType::RoomCreate),
        StateKey::plain(StateEventType::RoomName),
        StateKey::plain(StateEventType::RoomAvatar),
        StateKey::plain(StateEventType::RoomTopic),
        StateKey::plain(StateEventType::RoomJoinRules),
        StateKey::plain(StateEventType::RoomCanonicalAlias),
        StateKey::plain(StateEventType::RoomEncryption),
    ];
    keys.push(StateKey::member(sender));
    keys
}

/// A state event as JSON with nothing but `content`, `sender`, `state_key` and `type`.
#[must_use]
pub fn strip(event: &Pdu) -> Option<Bytes> {
    #[derive(Serialize)]
    struct Stripped<'a> {
        content: &'a RawValue,
        sender: &'a UserId,
        state_key: &'a str,
        r#type: String,
    }
    let stripped = Stripped {
        content: event.content(),
        sender: event.sender(),
        state_key: event.state_key()?,
        r#type: event.kind().to_string(),
    };
    serde_json::to_vec(&stripped).ok().map(Bytes::from)
}
