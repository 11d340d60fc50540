//! Judging stored events for one reader.

use std::collections::HashMap;

use banyan_proto::rooms::StateRoot;
use prost::Message;
use ruma::{
    EventId, OwnedEventId, OwnedRoomId, OwnedUserId,
    events::room::{history_visibility::HistoryVisibility, member::MembershipState},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{MembershipChange, Moment, history_visibility, joined_after, membership};
use crate::{
    ReadError, RoomPlace,
    reader::{At, RoomReader, StoredEvent},
};

/// The longest row of comings and goings that is followed: far beyond what people do, a bound on work for those who try.
const MAX_CHANGES: usize = 10_000;

/// Judges events of one room for one user. Remembers what it read: use one for all events of a request.
#[derive(Debug)]
pub struct VisibilityFilter {
    reader: RoomReader,
    room_id: OwnedRoomId,
    user_id: OwnedUserId,
    /// By the encoded state root.
    moments: HashMap<Vec<u8>, Moment>,
    changes: Vec<MembershipChange>,
    /// The next older membership event; `None` until the newest was looked up.
    next_change: Option<Option<OwnedEventId>>,
    joined_now: bool,
    /// The history visibility now, and where it was set.
    setting: Option<(HistoryVisibility, RoomPlace)>,
}

/// An event that its reader may see.
#[derive(Clone, Debug)]
pub struct Visible {
    /// The event.
    pub event: StoredEvent,
    /// The reader's membership at it, the event's own effect included (`unsigned.membership`).
    pub membership: MembershipState,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
    #[serde(borrow, default)]
    state_key: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    content: &'a RawValue,
}

impl VisibilityFilter {
    /// Judges for `user_id`.
    #[must_use]
    pub fn new(reader: RoomReader, room_id: OwnedRoomId, user_id: OwnedUserId) -> Self {
        let (moments, changes) = (HashMap::new(), Vec::new());
        Self { reader, room_id, user_id, moments, changes, next_change: None, joined_now: false, setting: None }
    }

    /// Those of `events` that the user may see, in the same order.
    ///
    /// # Errors
    /// The store's.
    pub async fn filter(&mut self, events: Vec<StoredEvent>) -> Result<Vec<Visible>, ReadError> {
        let mut visible = Vec::with_capacity(events.len());
        for event in events {
            if let Some(membership) = self.sees(&event).await? {
                visible.push(Visible { event, membership });
            }
        }
        Ok(visible)
    }

    /// The user's membership at an event if they may see it, else `None`. Events that are shown to nobody (soft-failed, rejected,
    /// without a place) are seen by nobody.
    ///
    /// # Errors
    /// The store's.
    pub async fn sees(&mut self, event: &StoredEvent) -> Result<Option<MembershipState>, ReadError> {
        let Some(place) = event.place.filter(|_| event.is_shown()) else { return Ok(None) };
        let after = self.moment(event).await?;
        if after.allows(false) {
            return Ok(Some(after.membership));
        }
        let before = self.before(event, &after).await?;
        if before.as_ref().is_some_and(|before| before.allows(false)) {
            return Ok(Some(after.membership));
        }
        // Only shared history asks for the future.
        let asks = after.allows(true) || before.as_ref().is_some_and(|before| before.allows(true));
        if asks && self.joined_after(place).await? {
            return Ok(Some(after.membership));
        }
        Ok(None)
    }

    /// The moment after an event.
    async fn moment(&mut self, event: &StoredEvent) -> Result<Moment, ReadError> {
        let key = StateRoot { carried: 0, ..event.state_after.clone() }.encode_to_vec();
        if let Some(moment) = self.moments.get(&key) {
            return Ok(moment.clone());
        }
        let at = At::Root(event.state_after.clone());
        let wanted = [("m.room.history_visibility", ""), ("m.room.member", self.user_id.as_str())];
        let found = self.reader.state_events(&self.room_id, &wanted, &at).await?;
        let content = |index: usize| found.get(index).and_then(Option::as_ref).map_or_else(String::new, |event| event.content());
        let moment = Moment { visibility: history_visibility(&content(0)), membership: membership(&content(1)) };
        self.moments.insert(key, moment.clone());
        Ok(moment)
    }

    /// The moment before an event, where the event itself changed it: a history visibility, or the user's own membership.
    async fn before(&self, event: &StoredEvent, after: &Moment) -> Result<Option<Moment>, ReadError> {
        let kind: Kind<'_> = serde_json::from_slice(&event.pdu).map_err(|error| ReadError::corrupt("timeline", error))?;
        match (&*kind.kind, kind.state_key.as_deref()) {
            ("m.room.history_visibility", Some("")) => {
                let visibility = history_visibility(&self.replaced_content(event).await?);
                Ok(Some(Moment { visibility, ..after.clone() }))
            }
            ("m.room.member", Some(user_id)) if user_id == self.user_id => {
                let membership = membership(&self.replaced_content(event).await?);
                Ok(Some(Moment { membership, ..after.clone() }))
            }
            _ => Ok(None),
        }
    }

    /// The content of the event that a state event replaced; empty if it replaced none.
    async fn replaced_content(&self, event: &StoredEvent) -> Result<String, ReadError> {
        let Some(replaced) = &event.replaces_state else { return Ok(String::new()) };
        if !event.prev_content.is_empty() {
            return Ok(String::from_utf8_lossy(&event.prev_content).into_owned());
        }
        Ok(self.reader.event(&self.room_id, replaced).await?.map_or_else(String::new, |event| content_of(&event)))
    }

    /// Whether the user may see all that came after `place`, as far as that can be told without looking at each event: they are joined
    /// since, or history is shared since and they are joined now, or it is readable by the world since.
    ///
    /// # Errors
    /// The store's.
    pub async fn sees_all_since(&mut self, place: RoomPlace) -> Result<bool, ReadError> {
        self.load_newest().await?;
        if self.joined_now && self.is_joined_since(place).await? {
            return Ok(true);
        }
        let (setting, set_at) = self.setting().await?;
        let open = match setting {
            HistoryVisibility::WorldReadable => true,
            HistoryVisibility::Shared => self.joined_now,
            _ => false,
        };
        Ok(open && set_at <= place)
    }

    async fn is_joined_since(&mut self, place: RoomPlace) -> Result<bool, ReadError> {
        let mut known = 0;
        loop {
            for change in &self.changes[known..] {
                if change.membership != MembershipState::Join {
                    return Ok(false);
                }
                if change.place <= place {
                    return Ok(true);
                }
            }
            known = self.changes.len();
            let Some(Some(event_id)) = self.next_change.take().filter(|_| known < MAX_CHANGES) else {
                self.next_change = Some(None);
                return Ok(false);
            };
            self.next_change = Some(self.load_change(&event_id).await?);
        }
    }

    async fn setting(&mut self) -> Result<(HistoryVisibility, RoomPlace), ReadError> {
        if let Some(setting) = &self.setting {
            return Ok(setting.clone());
        }
        let event = self.reader.state_event(&self.room_id, "m.room.history_visibility", "", &At::Now).await?;
        let setting = match event {
            None => (HistoryVisibility::Shared, RoomPlace::START),
            Some(event) => {
                let place = self.reader.place_of(&self.room_id, &event.event_id).await?;
                (history_visibility(&event.content()), place.unwrap_or(RoomPlace::END))
            }
        };
        Ok(self.setting.insert(setting).clone())
    }

    async fn load_newest(&mut self) -> Result<(), ReadError> {
        if self.next_change.is_none() {
            let row = self.reader.membership(&self.user_id, &self.room_id).await?;
            self.joined_now = row.as_ref().is_some_and(|row| row.membership == "join");
            self.next_change = Some(row.and_then(|row| EventId::parse(row.event_id).ok()));
        }
        Ok(())
    }

    async fn joined_after(&mut self, place: RoomPlace) -> Result<bool, ReadError> {
        self.load_newest().await?;
        // Who was not joined then and is now has joined between.
        if self.joined_now {
            return Ok(true);
        }
        while let Some(Some(event_id)) = self.next_change.take() {
            if self.changes.last().is_some_and(|change| change.place <= place) || self.changes.len() >= MAX_CHANGES {
                self.next_change = Some(Some(event_id));
                break;
            }
            self.next_change = Some(self.load_change(&event_id).await?);
        }
        self.next_change.get_or_insert(None);
        Ok(joined_after(&self.changes, place))
    }

    /// Reads one membership event; answers the one it replaced.
    async fn load_change(&mut self, event_id: &EventId) -> Result<Option<OwnedEventId>, ReadError> {
        let Some(event) = self.reader.event(&self.room_id, event_id).await? else { return Ok(None) };
        let Some(place) = event.place else { return Ok(None) };
        self.changes.push(MembershipChange { place, membership: membership(&content_of(&event)) });
        Ok(event.replaces_state)
    }

    /// All changes of the user's membership, newest first.
    pub(super) async fn all_changes(&mut self) -> Result<&[MembershipChange], ReadError> {
        let row = self.reader.membership(&self.user_id, &self.room_id).await?;
        self.changes.clear();
        let mut next = row.and_then(|row| EventId::parse(row.event_id).ok());
        while let Some(event_id) = next.filter(|_| self.changes.len() < MAX_CHANGES) {
            next = self.load_change(&event_id).await?;
        }
        Ok(&self.changes)
    }
}

fn content_of(event: &StoredEvent) -> String {
    serde_json::from_slice::<Kind<'_>>(&event.pdu).map_or_else(|_| String::new(), |kind| kind.content.get().to_owned())
}
