//! Judging an event against its auth events and against states.

use std::collections::{BTreeSet, HashMap};

use ruma::{EventId, OwnedEventId};

use super::{PlaceError, Placer};
use crate::{
    auth::{self, AuthError, AuthState},
    pdu::Pdu,
    state::State,
};

impl Placer {
    /// What authorisation asks of `state` to judge `event`.
    pub(super) async fn auth_state(&self, event: &Pdu, state: &State) -> Result<AuthState, PlaceError> {
        let keys = auth::required_keys(event)?;
        Ok(AuthState::new(self.state_events(event.room_id(), event.version(), state, &keys).await?))
    }

    /// Checks that the event names the right auth events and that they allow it. Where they are those of `known`, a state that allows it
    /// already, there is nothing left to ask.
    pub(super) async fn check_auth_events(&self, event: &Pdu, known: &AuthState) -> Result<(), PlaceError> {
        let hashed_id = event.version().room_id_is_create_hash();
        let selected: BTreeSet<&EventId> =
            known.iter().filter(|auth| !(hashed_id && auth.is_create())).map(Pdu::event_id).collect();
        let named: BTreeSet<&EventId> = event.auth_events().iter().map(|id| &**id).collect();
        if selected == named && named.len() == event.auth_events().len() && !known.iter().any(Pdu::is_rejected) {
            return Ok(());
        }
        let mut ids: Vec<OwnedEventId> = event.auth_events().to_vec();
        if hashed_id {
            ids.push(create_event_id(event)?);
        }
        ids.sort_unstable();
        ids.dedup();
        let events: Vec<Pdu> =
            self.known(event.room_id(), event.version(), &ids).await?.into_iter().map(|known| known.pdu).collect();
        let by_id: HashMap<&EventId, Pdu> = events.iter().map(|event| (event.event_id(), event.clone())).collect();
        auth::check_auth_events(event, &by_id)?;
        Ok(auth::check(event, &AuthState::new(events))?)
    }
}

/// The create event of a room whose id is its hash.
fn create_event_id(event: &Pdu) -> Result<OwnedEventId, AuthError> {
    let hash = event.room_id().as_str().strip_prefix('!').unwrap_or_default();
    EventId::parse(format!("${hash}")).map_err(|error| AuthError(format!("the room id is no hash: {error}")))
}
