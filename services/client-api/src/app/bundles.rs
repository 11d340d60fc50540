//! Events as the caller sees them, with the aggregations of what relates to them.

use std::collections::HashSet;

use banyan_core::ServiceError;
use banyan_rooms::{
    bundle::{Audience, Bundler, Bundles},
    client_event::{Viewer, client_event_with},
    reader::StoredEvent,
    visibility::Visible,
};
use ruma::RoomId;

use super::{App, Requester};

impl App {
    /// Events of a room in the client format. Those that others relate to cost reads, the rest one for all.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn render(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        events: &[&Visible],
    ) -> Result<Vec<Vec<u8>>, ServiceError> {
        let related = self.rooms.related(room_id, events.iter().map(|visible| &visible.event)).await?;
        let parents: Vec<&StoredEvent> =
            events.iter().map(|visible| &visible.event).filter(|event| related.contains(&event.event_id)).collect();
        let bundles = if parents.is_empty() {
            Bundles::new()
        } else {
            self.bundles(requester, room_id, &parents, &self.ignored(requester).await?).await?
        };
        let render = |visible: &&Visible| {
            let relations = bundles.get(&visible.event.event_id).map(Vec::as_slice);
            Ok(client_event_with(&visible.event, Some(room_id), self.viewer(requester, visible), relations)?)
        };
        events.iter().map(render).collect()
    }

    /// The aggregations of events.
    pub(super) async fn bundles(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        events: &[&StoredEvent],
        ignored: &HashSet<String>,
    ) -> Result<Bundles, ServiceError> {
        let audience = Audience {
            user_id: &requester.user_id,
            device_id: requester.device(),
            ignored,
            upto: None,
            with_room_id: true,
            now: self.clock.now(),
        };
        Ok(Bundler::new(&self.rooms, room_id, audience).bundle(events).await?)
    }

    /// Who reads an event.
    pub(super) fn viewer<'a>(&self, requester: &'a Requester, visible: &'a Visible) -> Viewer<'a> {
        Viewer {
            user_id: &requester.user_id,
            device_id: requester.device(),
            membership: Some(visible.membership.as_str()),
            now: self.clock.now(),
        }
    }
}
