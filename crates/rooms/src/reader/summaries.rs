//! Rooms as those see them who look for rooms.

use banyan_proto::rooms::{RoomHead, RoomSummary};
use ruma::{OwnedRoomId, RoomId, ServerName};

use super::{RoomReader, StateEvent};
use crate::{
    ReadError,
    state::State,
    summary::{self, TYPES},
    tables::current_state,
};

/// Rooms whose state is read in one go.
const ROOMS: usize = 100;
/// What says whether a room is public.
const RULES: &str = "m.room.join_rules";
const VISIBILITY: &str = "m.room.history_visibility";

impl RoomReader {
    /// The summaries of rooms, in the order asked; `None` for one that is not known here.
    ///
    /// # Errors
    /// The store's.
    pub async fn summaries(&self, room_ids: &[OwnedRoomId]) -> Result<Vec<Option<RoomSummary>>, ReadError> {
        let mut summaries = Vec::with_capacity(room_ids.len());
        for room_ids in room_ids.chunks(ROOMS) {
            summaries.extend(self.some_summaries(room_ids).await?);
        }
        Ok(summaries)
    }

    async fn some_summaries(&self, room_ids: &[OwnedRoomId]) -> Result<Vec<Option<RoomSummary>>, ReadError> {
        let heads = self.heads(room_ids).await?;
        let known = room_ids.iter().zip(&heads).filter_map(|(room_id, head)| Some((room_id, head.as_ref()?)));
        let keys: Vec<_> = known
            .clone()
            .flat_map(|(room_id, head)| TYPES.map(|event_type| (room_id.as_str(), head.current_buckets, event_type, "")))
            .collect();
        let rows = current_state::multi_get_of_rooms(&*self.inner.store, &keys).await?;
        let mut rows = rows.into_iter();
        let mut summaries = Vec::with_capacity(room_ids.len());
        for (room_id, head) in room_ids.iter().zip(&heads) {
            let Some(head) = head else {
                summaries.push(None);
                continue;
            };
            let mut contents = Vec::with_capacity(TYPES.len());
            for (event_type, row) in TYPES.into_iter().zip(rows.by_ref().take(TYPES.len())) {
                let Some(row) = row else { continue };
                let event = self.with_body(room_id, (event_type, ""), row).await?;
                contents.extend(event.map(|event| (event_type, event.content())));
            }
            let state = contents.iter().map(|(event_type, content)| (*event_type, content.as_str()));
            summaries.push(Some(summary::summarise(head, state)));
        }
        Ok(summaries)
    }

    /// The rooms that a space names as its children: the m.space.child events, at most `most` in a room of usual size; in no order.
    ///
    /// # Errors
    /// The store's.
    pub async fn space_children(&self, room_id: &RoomId, most: usize) -> Result<Vec<StateEvent>, ReadError> {
        const CHILD: &str = "m.space.child";
        let Some(head) = self.head(room_id).await? else { return Ok(Vec::new()) };
        let rows = current_state::scan_some(&*self.inner.store, room_id, head.current_buckets, Some(CHILD), most).await?;
        let mut events = Vec::with_capacity(rows.len());
        for ((event_type, state_key), row) in rows {
            events.extend(self.with_body(room_id, (&event_type, &state_key), row).await?);
        }
        Ok(events)
    }

    /// Which of the rooms are public ([`summary::is_public`]) and known to a server: somebody of it is, or was, in them or invited.
    ///
    /// # Errors
    /// The store's.
    pub async fn are_public(&self, server: &ServerName, room_ids: &[&OwnedRoomId]) -> Result<Vec<bool>, ReadError> {
        let heads = self.heads(room_ids).await?;
        let mut public = Vec::with_capacity(room_ids.len());
        for (room_id, head) in room_ids.iter().zip(heads) {
            let Some(head) = head else {
                public.push(false);
                continue;
            };
            let rows: [_; 2] = [RULES, VISIBILITY].map(|event_type| (room_id.as_str(), head.current_buckets, event_type, ""));
            let rows = current_state::multi_get_of_rooms(&*self.inner.store, &rows).await?;
            let mut contents = [None, None];
            for ((content, event_type), row) in contents.iter_mut().zip([RULES, VISIBILITY]).zip(rows) {
                let Some(row) = row else { continue };
                *content = self.with_body(room_id, (event_type, ""), row).await?.map(|event| event.content());
            }
            let [rules, visibility] = contents;
            let is_public = summary::is_public(rules.as_deref(), visibility.as_deref());
            public.push(is_public && self.is_known_to(server, room_id, &head).await?);
        }
        Ok(public)
    }

    async fn is_known_to(&self, server: &ServerName, room_id: &RoomId, head: &RoomHead) -> Result<bool, ReadError> {
        let state = head.current.clone().unwrap_or_default();
        let state = State::from_proto(&state)?;
        let page = self.states().members_page(room_id, &state, server, None, 1).await?;
        Ok(!page.entries.is_empty())
    }

    /// The summary of one room.
    ///
    /// # Errors
    /// The store's.
    pub async fn summary(&self, room_id: &RoomId) -> Result<Option<RoomSummary>, ReadError> {
        Ok(self.summaries(&[room_id.to_owned()]).await?.pop().flatten())
    }
}
