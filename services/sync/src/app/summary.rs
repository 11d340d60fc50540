//! Counts of members, and whom to name a room after.

use banyan_core::LogSeq;
use banyan_proto::rooms::RoomHead;
use ruma::RoomId;
use serde::Deserialize;

use super::{Context, state::Deltas};
use crate::{error::SyncError, source::StateMap, tails::change::RoomEvent};

/// Heroes that are sent.
const HEROES: usize = 5;

/// `summary` of a joined room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// `None`: the room has a name or an alias.
    pub heroes: Option<Vec<String>>,
    /// Joined members.
    pub joined: u64,
    /// Invited members.
    pub invited: u64,
}

/// Whether changes of state change the summary.
pub(super) fn is_touched(deltas: &Deltas<'_>) -> bool {
    deltas.keys().any(|(kind, key)| *kind == "m.room.member" || (key.is_empty() && NAMES.contains(kind)))
}

const NAMES: [&str; 2] = ["m.room.name", "m.room.canonical_alias"];

/// The summary of a room of which nothing is known but its head.
pub(super) async fn read(context: &Context, room: &RoomId, head: &RoomHead, upto: LogSeq) -> Result<Summary, SyncError> {
    let wanted = [(NAMES[0], ""), (NAMES[1], "")];
    let named = context.source.state_events(room, head, upto, &wanted).await?;
    Ok(summarise(context, head, named.iter().flatten().any(|event| names(event))))
}

/// The summary of a room whose state (but perhaps its members) is at hand.
pub(super) fn of_state(context: &Context, head: &RoomHead, state: &StateMap) -> Summary {
    let named = NAMES.iter().any(|kind| state.get(kind, "").is_some_and(|event| names(event)));
    summarise(context, head, named)
}

/// The head lists members in the room by order of coming, then those who left last: they stand in where nobody else is there.
pub(crate) fn summarise(context: &Context, head: &RoomHead, named: bool) -> Summary {
    let (joined, invited) = (head.joined, head.invited);
    if named {
        return Summary { heroes: None, joined, invited };
    }
    let there = usize::try_from(joined + invited).unwrap_or(usize::MAX).min(head.heroes.len());
    let (there, gone) = head.heroes.split_at(there);
    let others = |members: &[String]| -> Vec<String> {
        members.iter().filter(|member| **member != context.user.as_str()).take(HEROES).cloned().collect()
    };
    let mut heroes = others(there);
    if heroes.is_empty() {
        heroes = others(gone);
    }
    Summary { heroes: Some(heroes), joined, invited }
}

/// Whether an m.room.name or m.room.canonical_alias names its room.
fn names(event: &RoomEvent) -> bool {
    #[derive(Deserialize)]
    struct Event {
        content: Content,
    }
    #[derive(Deserialize)]
    struct Content {
        name: Option<serde_json::Value>,
        alias: Option<serde_json::Value>,
    }
    let Ok(Event { content }) = serde_json::from_slice(&event.stored.pdu) else { return false };
    let value = if event.kind == NAMES[0] { content.name } else { content.alias };
    value.as_ref().and_then(serde_json::Value::as_str).is_some_and(|text| !text.is_empty())
}
