//! Events by id.

use banyan_core::{LogSeq, TimestampMicros};
use banyan_proto::rooms::{EventRow, TimelineRow};
use bytes::Bytes;
use ruma::{EventId, OwnedEventId, RoomId};

use super::{RoomReader, StoredEvent};
use crate::{
    ReadError, RoomPlace, apply,
    tables::{event, timeline},
};

impl RoomReader {
    /// An event by its id, with a place or without.
    ///
    /// # Errors
    /// The store's.
    pub async fn event(&self, room_id: &RoomId, event_id: &EventId) -> Result<Option<StoredEvent>, ReadError> {
        Ok(self.events(room_id, &[event_id]).await?.pop().flatten())
    }

    /// Several events of a room, in the order asked.
    ///
    /// # Errors
    /// The store's.
    pub async fn events<E: AsRef<str> + Sync>(
        &self,
        room_id: &RoomId,
        event_ids: &[E],
    ) -> Result<Vec<Option<StoredEvent>>, ReadError> {
        let store = &*self.inner.store;
        let rows = event::multi_get(store, room_id, event_ids).await?;
        let places: Vec<RoomPlace> = rows.iter().flatten().filter_map(place_of).collect();
        let mut bodies = timeline::multi_get(store, room_id, &places).await?.into_iter();
        let mut events = Vec::with_capacity(rows.len());
        for (id, row) in event_ids.iter().zip(rows) {
            events.push(match row {
                None => None,
                Some(row) => match place_of(&row) {
                    None => Some(unplaced(room_id, id.as_ref(), &row)?),
                    Some(place) => {
                        let body = bodies.next().flatten();
                        body.map(|body| placed(room_id, place, body)).transpose()?
                    }
                },
            });
        }
        Ok(events)
    }
}

fn place_of(row: &EventRow) -> Option<RoomPlace> {
    row.placed.then(|| RoomPlace::new(row.arrival, row.sub))
}

fn event_id(text: &str) -> Result<OwnedEventId, ReadError> {
    OwnedEventId::try_from(text).map_err(|error| ReadError::corrupt("event", error))
}

fn optional_id(text: &str) -> Result<Option<OwnedEventId>, ReadError> {
    if text.is_empty() { Ok(None) } else { event_id(text).map(Some) }
}

fn unplaced(room_id: &RoomId, id: &str, row: &EventRow) -> Result<StoredEvent, ReadError> {
    Ok(StoredEvent {
        event_id: event_id(id)?,
        room_id: room_id.to_owned(),
        pdu: row.pdu.clone(),
        place: None,
        seq: LogSeq(row.seq),
        received: TimestampMicros(0),
        standing: apply::standing(row.standing),
        state_after: row.state_after.clone().unwrap_or_default(),
        replaces_state: None,
        prev_content: Bytes::new(),
        prev_sender: String::new(),
        transaction: None,
        redaction: None,
        gap_before: false,
    })
}

/// The event of a timeline row.
pub(crate) fn placed(room_id: &RoomId, place: RoomPlace, row: TimelineRow) -> Result<StoredEvent, ReadError> {
    let redaction = optional_id(&row.redaction_event_id)?;
    Ok(StoredEvent {
        event_id: event_id(&row.event_id)?,
        room_id: room_id.to_owned(),
        place: Some(place),
        seq: LogSeq(row.seq),
        received: TimestampMicros(row.received),
        standing: timeline::standing_of(&row),
        replaces_state: optional_id(&row.replaces_state)?,
        redaction: redaction.map(|id| (id, row.redaction_pdu)),
        pdu: row.pdu,
        state_after: row.state_after.unwrap_or_default(),
        prev_content: row.prev_content,
        prev_sender: row.prev_sender,
        transaction: row.transaction,
        gap_before: row.gap_before,
    })
}
