//! What the caller was notified of, in all rooms.

use std::collections::HashMap;

use banyan_core::ServiceError;
use banyan_rooms::{
    client_event::client_event_with,
    reader::Notification,
    visibility::{VisibilityFilter, Visible},
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use ruma::{OwnedRoomId, RoomId};
use serde_json::{Value, json, value::RawValue};

use super::{App, Requester};

/// Notifications of a page at most, and where the client does not say.
const MAX_LIMIT: usize = 100;
const DEFAULT_LIMIT: usize = 20;
/// Rooms that are looked into: those with the newest events.
const MAX_ROOMS: usize = 1_000;
/// Times that all rooms are looked into for one page: the client goes on from where it ended.
const MAX_ROUNDS: usize = 8;
/// Rooms at a time.
const PARALLEL: usize = 16;

/// What a client asks for.
#[derive(Debug, Default)]
pub(crate) struct NotificationsWish {
    pub(crate) from: Option<String>,
    pub(crate) limit: Option<usize>,
    /// Only what is highlighted.
    pub(crate) highlights: bool,
}

/// A page of notifications, each JSON.
#[derive(Debug, Default)]
pub(crate) struct NotificationsPage {
    pub(crate) notifications: Vec<Vec<u8>>,
    pub(crate) next_token: Option<String>,
}

/// A room, and whether the caller is in it or only invited.
type Room = (OwnedRoomId, bool);

impl App {
    /// A page of what the caller was notified of, newest first, of rooms they are in or invited to.
    ///
    /// # Errors
    /// M_INVALID_PARAM for a token that is none.
    pub(crate) async fn notifications(
        &self,
        requester: &Requester,
        wish: NotificationsWish,
    ) -> Result<NotificationsPage, ServiceError> {
        let limit = wish.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
        let mut before = match &wish.from {
            Some(token) => token.parse().map_err(|_| ServiceError::invalid_param("from is no token of this endpoint"))?,
            None => i64::MAX,
        };
        let rooms = self.notifying_rooms(requester).await?;
        let mut page = NotificationsPage::default();
        for _ in 0..MAX_ROUNDS {
            let (mut found, rest) = self.look(requester, &rooms, (before, limit.max(DEFAULT_LIMIT))).await?;
            if wish.highlights {
                found.retain(|(_, notification)| is_highlighted(&notification.actions));
            }
            let wanted = limit - page.notifications.len();
            let more = found.len() > wanted;
            found.truncate(wanted);
            let last = found.last().map(|(_, last)| last.at);
            page.notifications.extend(self.show(requester, &found).await?);
            before = match (last.filter(|_| more), rest) {
                (Some(last), _) => last,
                (None, Some(rest)) => rest + 1,
                (None, None) => return Ok(page),
            };
            if page.notifications.len() >= limit {
                break;
            }
        }
        page.next_token = Some(before.to_string());
        Ok(page)
    }

    async fn notifying_rooms(&self, requester: &Requester) -> Result<Vec<Room>, ServiceError> {
        let rows = self.rooms.memberships(&requester.user_id).await?.into_iter();
        let rooms = rows.filter(|(_, row)| ["join", "invite"].contains(&row.membership.as_str()));
        let mut rooms: Vec<Room> = rooms.map(|(room_id, row)| (room_id, row.membership == "join")).collect();
        if rooms.len() > MAX_ROOMS {
            let mut stamps = HashMap::new();
            let ids: Vec<OwnedRoomId> = rooms.iter().map(|(room_id, _)| room_id.clone()).collect();
            for some in ids.chunks(MAX_ROOMS) {
                let heads = self.rooms.heads(some).await?;
                stamps.extend(some.iter().cloned().zip(heads.into_iter().map(|head| head.map_or(0, |head| head.bump_stamp))));
            }
            rooms.sort_by_key(|(room_id, _)| std::cmp::Reverse(stamps.get(room_id).copied()));
            rooms.truncate(MAX_ROOMS);
        }
        Ok(rooms)
    }

    /// The newest notifications of all rooms from before a time, newest first; and where there may be others.
    async fn look(
        &self,
        requester: &Requester,
        rooms: &[Room],
        range: (i64, usize),
    ) -> Result<(Vec<(OwnedRoomId, Notification)>, Option<i64>), ServiceError> {
        let look = |(room_id, joined): &Room| {
            let (room_id, joined) = (room_id.clone(), *joined);
            async move {
                let found = self.rooms.notifications(&room_id, &requester.user_id, joined, range).await?;
                Ok::<_, ServiceError>((room_id, found))
            }
        };
        // Collected, for a lazy iterator in a stream hides from the compiler that the future may move between threads.
        let looks: Vec<_> = rooms.iter().map(look).collect();
        let looked: Vec<_> = stream::iter(looks).buffered(PARALLEL).try_collect().await?;
        let rest = looked.iter().filter_map(|(_, found)| found.rest).max();
        let all = looked.into_iter().flat_map(|(room_id, found)| found.found.into_iter().map(move |one| (room_id.clone(), one)));
        let mut found: Vec<_> = all.filter(|(_, one)| rest.is_none_or(|rest| one.at > rest)).collect();
        found.sort_by_key(|(_, one)| std::cmp::Reverse(one.at));
        Ok((found, rest))
    }

    /// Notifications with their events, but those the caller sent or may not see.
    async fn show(&self, requester: &Requester, found: &[(OwnedRoomId, Notification)]) -> Result<Vec<Vec<u8>>, ServiceError> {
        let mut by_room: HashMap<&RoomId, Vec<&str>> = HashMap::new();
        for (room_id, notification) in found {
            by_room.entry(room_id).or_default().push(&notification.event_id);
        }
        let mut events: HashMap<String, Visible> = HashMap::new();
        for (room_id, ids) in by_room {
            let read = self.rooms.events(room_id, &ids).await?.into_iter().flatten().collect();
            let mut visibility = VisibilityFilter::new(self.rooms.clone(), room_id.to_owned(), requester.user_id.clone());
            let seen = visibility.filter(read).await?;
            events.extend(seen.into_iter().map(|visible| (visible.event.event_id.to_string(), visible)));
        }
        let mut shown = Vec::with_capacity(found.len());
        for (room_id, notification) in found {
            let Some(visible) = events.get(&notification.event_id) else { continue };
            let event = client_event_with(&visible.event, None, self.viewer(requester, visible), None)?;
            if !is_by(&event, requester) {
                shown.push(render(room_id, notification, &event)?);
            }
        }
        Ok(shown)
    }
}

fn is_by(event: &[u8], requester: &Requester) -> bool {
    let event: Value = serde_json::from_slice(event).unwrap_or_default();
    event["sender"] == requester.user_id.as_str()
}

/// Whether actions have the tweak `highlight`, which is true unless it says otherwise.
fn is_highlighted(actions: &str) -> bool {
    let actions: Value = serde_json::from_str(actions).unwrap_or_default();
    let highlights = |action: &Value| action["set_tweak"] == "highlight" && action["value"] != false;
    actions.as_array().into_iter().flatten().any(highlights)
}

fn render(room_id: &RoomId, notification: &Notification, event: &[u8]) -> Result<Vec<u8>, ServiceError> {
    let raw =
        |json: &[u8]| serde_json::from_slice::<Box<RawValue>>(json).map_err(|error| ServiceError::internal(error.to_string()));
    let mut fields = json!({"read": notification.read, "room_id": room_id, "ts": notification.at / 1_000}).to_string();
    fields.pop();
    let (actions, event) = (raw(notification.actions.as_bytes())?, raw(event)?);
    Ok(format!("{fields},\"actions\":{},\"event\":{}}}", actions.get(), event.get()).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_highlight_is_one_unless_it_says_otherwise() {
        for (actions, highlighted) in [
            (r#"["notify",{"set_tweak":"highlight"}]"#, true),
            (r#"["notify",{"set_tweak":"highlight","value":true}]"#, true),
            (r#"["notify",{"set_tweak":"highlight","value":false}]"#, false),
            (r#"["notify",{"set_tweak":"sound","value":"default"}]"#, false),
        ] {
            assert_eq!(is_highlighted(actions), highlighted, "{actions}");
        }
    }
}
