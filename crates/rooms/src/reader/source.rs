//! Events of the store for authorisation and resolution.

use async_trait::async_trait;
use ruma::{OwnedEventId, RoomId};

use super::{RoomReader, StoredEvent};
use crate::{
    ReadError,
    event_source::{EventSource, EventSourceError, KnownEvent, Standing},
    pdu::Pdu,
    state::State,
    version::RoomVersion,
};
use banyan_proto::rooms::EventStanding;

/// Ids per read.
const CHUNK: usize = 1_000;

#[async_trait]
impl EventSource for RoomReader {
    async fn events(
        &self,
        room: &RoomId,
        version: &'static RoomVersion,
        ids: &[OwnedEventId],
    ) -> Result<Vec<KnownEvent>, EventSourceError> {
        let mut known = Vec::with_capacity(ids.len());
        for ids in ids.chunks(CHUNK) {
            let found = Self::events(self, room, ids).await.map_err(|error| failed(&ids[0], error))?;
            for event in found.into_iter().flatten() {
                known.push(known_event(version, &event)?);
            }
        }
        Ok(known)
    }
}

fn failed(event_id: &OwnedEventId, error: ReadError) -> EventSourceError {
    match error {
        ReadError::Store(error) => EventSourceError::Store(error),
        corrupt @ ReadError::Corrupt { .. } => {
            EventSourceError::Corrupt { event_id: event_id.clone(), problem: corrupt.to_string() }
        }
    }
}

fn known_event(version: &'static RoomVersion, event: &StoredEvent) -> Result<KnownEvent, EventSourceError> {
    let corrupt = |problem: String| EventSourceError::Corrupt { event_id: event.event_id.clone(), problem };
    let standing = match event.standing {
        EventStanding::Accepted => Standing::Accepted,
        EventStanding::SoftFailed => Standing::SoftFailed,
        EventStanding::Rejected => Standing::Rejected,
    };
    let pdu = Pdu::from_stored(event.pdu.clone(), event.event_id.clone(), &event.room_id, version)
        .map_err(|error| corrupt(error.to_string()))?
        .with_rejected(standing == Standing::Rejected);
    let state_after = match event.place {
        Some(_) => Some(State::from_proto(&event.state_after).map_err(|error| corrupt(error.to_string()))?),
        None => None,
    };
    Ok(KnownEvent { pdu, standing, state_after })
}
