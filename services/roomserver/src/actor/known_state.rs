//! State events of a room that were asked for lately: those by which every send is judged.

use std::collections::HashMap;

use banyan_rooms::{pdu::Pdu, state::StateKey};
use ruma::EventId;

/// Keys kept; before there are more, all are forgotten.
const MAX_KEYS: usize = 64;

/// What one state has under some keys. Whoever changes the state clears it; whoever changes an event forgets that.
#[derive(Debug, Default)]
pub(crate) struct KnownState(HashMap<StateKey, Option<Pdu>>);

impl KnownState {
    /// The keys of which nothing is known; there is room for them.
    pub(crate) fn missing(&mut self, keys: &[StateKey]) -> Vec<StateKey> {
        if self.0.len() + keys.len() > MAX_KEYS {
            self.0.clear();
        }
        keys.iter().filter(|key| !self.0.contains_key(*key)).cloned().collect()
    }

    /// Notes what was found under `keys`.
    pub(crate) fn add(&mut self, keys: Vec<StateKey>, events: Vec<Pdu>) {
        self.0.extend(keys.into_iter().map(|key| (key, None)));
        self.0.extend(events.into_iter().filter_map(|event| Some((event.key()?, Some(event)))));
    }

    /// The events under `keys` that are set and known.
    pub(crate) fn get(&self, keys: &[StateKey]) -> Vec<Pdu> {
        keys.iter().filter_map(|key| self.0.get(key)?.clone()).collect()
    }

    /// An event is not any more what it was.
    pub(crate) fn forget(&mut self, event_id: &EventId) {
        self.0.retain(|_, known| known.as_ref().is_none_or(|known| known.event_id() != event_id));
    }

    /// The state changed.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
