//! Reading one event.

use banyan_core::ServiceError;
use banyan_rooms::visibility::{VisibilityFilter, Visible};
use ruma::{EventId, RoomId};

use super::{App, Requester};

impl App {
    /// An event that the caller may see, in the client format.
    ///
    /// # Errors
    /// M_NOT_FOUND for one that does not exist or that they may not see: the two look the same.
    pub(crate) async fn event(&self, requester: &Requester, room_id: &RoomId, event_id: &EventId) -> Result<Vec<u8>, ServiceError> {
        let missing = || ServiceError::not_found("There is no such event, or you may not see it");
        let event = self.rooms.event(room_id, event_id).await?.ok_or_else(missing)?;
        let mut visibility = VisibilityFilter::new(self.rooms.clone(), room_id.to_owned(), requester.user_id.clone());
        let membership = visibility.sees(&event).await?.ok_or_else(missing)?;
        if self.withholds(requester, &event.pdu).await? {
            return Err(missing());
        }
        Ok(self.render(requester, room_id, &[&Visible { event, membership }]).await?.pop().unwrap_or_default())
    }
}
