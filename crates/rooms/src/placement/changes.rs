//! What entries say about changes of current state.

use std::collections::HashMap;

use banyan_proto::rooms as proto;
use bytes::Bytes;
use ruma::{EventId, OwnedEventId};

use super::{PlaceError, Placer};
use crate::{
    pdu::Pdu,
    state::{State, StateDifference},
    stripped,
};

/// Events up to this size are repeated in a change.
const MAX_REPEATED: usize = 16 * 1024;

/// A change of current state with its events.
pub(super) struct Change {
    pub(super) entry: proto::CurrentChange,
    pub(super) old: Option<Pdu>,
}

impl Placer {
    /// Describes `differences` of current state, caused by `event`.
    pub(super) async fn changes(
        &self,
        event: &Pdu,
        differences: Vec<StateDifference>,
        current: &State,
    ) -> Result<Vec<Change>, PlaceError> {
        let mut ids: Vec<OwnedEventId> =
            differences.iter().flat_map(|difference| [&difference.old, &difference.new]).flatten().cloned().collect();
        ids.sort_unstable();
        ids.dedup();
        let known = self.events_with(event, ids).await?;
        let events: HashMap<&EventId, &Pdu> = known.iter().map(|event| (event.event_id(), event)).collect();
        let mut changes = Vec::with_capacity(differences.len());
        for difference in &differences {
            let find = |id: &Option<OwnedEventId>| id.as_deref().and_then(|id| events.get(id).copied());
            let (old, new) = (find(&difference.old), find(&difference.new));
            let mut entry = describe(difference, old, new);
            if let Some(new) = new {
                if new.event_id() != event.event_id() && new.json().len() <= MAX_REPEATED {
                    entry.pdu = new.json().clone();
                }
                if matches!(new.membership(), Some("invite" | "knock")) {
                    entry.stripped_state = self.stripped_state(event, new, current).await?;
                }
            }
            changes.push(Change { entry, old: old.cloned() });
        }
        Ok(changes)
    }

    /// What the invited or knocking user gets to see of the room.
    async fn stripped_state(&self, event: &Pdu, member: &Pdu, current: &State) -> Result<Vec<Bytes>, PlaceError> {
        let mut keys = stripped::stripped_keys(member.sender());
        // The membership itself goes beside it.
        keys.retain(|key| Some(key) != member.key().as_ref());
        let ids = self.states().get_many(member.room_id(), current, &keys).await?.into_iter().flatten().collect();
        let events = self.events_with(event, ids).await?;
        Ok(events.iter().filter_map(stripped::strip).collect())
    }
}

fn describe(difference: &StateDifference, old: Option<&Pdu>, new: Option<&Pdu>) -> proto::CurrentChange {
    let membership = |event: Option<&Pdu>| event.and_then(Pdu::membership).unwrap_or_default().to_owned();
    let is_member = difference.key.as_member().is_some();
    proto::CurrentChange {
        r#type: difference.key.event_type.to_string(),
        state_key: difference.key.state_key.clone(),
        event_id: difference.new.as_ref().map(ToString::to_string).unwrap_or_default(),
        previous_event_id: difference.old.as_ref().map(ToString::to_string).unwrap_or_default(),
        pdu: Bytes::new(),
        membership: if is_member { membership(new) } else { String::new() },
        previous_membership: if is_member { membership(old) } else { String::new() },
        sender: new.map(|event| event.sender().to_string()).unwrap_or_default(),
        stripped_state: Vec::new(),
    }
}
