//! Members of a room.

use ruma::{OwnedUserId, RoomId, events::room::member::MembershipState};

use super::{At, RoomReader, StateEvent};
use crate::ReadError;

/// Which members to read.
#[derive(Clone, Debug, Default)]
pub struct MembersQuery {
    /// In which state.
    pub at: At,
    /// Only those with this membership.
    pub membership: Option<MembershipState>,
    /// Not those with this one.
    pub not_membership: Option<MembershipState>,
}

impl MembersQuery {
    fn wants(&self, membership: &MembershipState) -> bool {
        self.membership.as_ref().is_none_or(|wanted| wanted == membership)
            && self.not_membership.as_ref().is_none_or(|unwanted| unwanted != membership)
    }
}

impl RoomReader {
    /// The m.room.member events of a state, filtered; in no order.
    ///
    /// # Errors
    /// The store's.
    pub async fn members(&self, room_id: &RoomId, query: &MembersQuery) -> Result<Vec<StateEvent>, ReadError> {
        let members = self.state_of_type(room_id, "m.room.member", &query.at).await?;
        Ok(members.into_iter().filter(|event| query.wants(&event.membership())).collect())
    }

    /// The users who are joined now, with their member events.
    ///
    /// # Errors
    /// The store's.
    pub async fn joined_members(&self, room_id: &RoomId) -> Result<Vec<(OwnedUserId, StateEvent)>, ReadError> {
        let query = MembersQuery { membership: Some(MembershipState::Join), ..MembersQuery::default() };
        let members = self.members(room_id, &query).await?;
        Ok(members.into_iter().filter_map(|event| Some((OwnedUserId::try_from(&*event.state_key).ok()?, event))).collect())
    }
}
