//! Members of a room.

use ruma::{OwnedUserId, RoomId, events::room::member::MembershipState};

use super::{At, RoomReader, StateEvent};
use crate::ReadError;

/// Which members to read. With both lists a member is wanted that is in the first *or* not in the second (client-server specification,
/// GET /rooms/{roomId}/members).
#[derive(Clone, Debug, Default)]
pub struct MembersQuery {
    /// In which state.
    pub at: At,
    /// Those with this membership.
    pub membership: Option<MembershipState>,
    /// Those without this one.
    pub not_membership: Option<MembershipState>,
}

impl MembersQuery {
    fn wants(&self, membership: &MembershipState) -> bool {
        match (&self.membership, &self.not_membership) {
            (None, None) => true,
            (wanted, unwanted) => {
                wanted.as_ref().is_some_and(|wanted| wanted == membership)
                    || unwanted.as_ref().is_some_and(|unwanted| unwanted != membership)
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_filters_add_up() {
        let wants = |membership: Option<&str>, not_membership: Option<&str>, is: &str| {
            let state = |text: Option<&str>| text.map(MembershipState::from);
            let query =
                MembersQuery { membership: state(membership), not_membership: state(not_membership), ..MembersQuery::default() };
            query.wants(&MembershipState::from(is))
        };
        assert!(wants(None, None, "ban"));
        assert!(wants(Some("join"), None, "join") && !wants(Some("join"), None, "ban"));
        assert!(wants(None, Some("leave"), "join") && !wants(None, Some("leave"), "leave"));
        for (is, wanted) in [("join", true), ("invite", true), ("leave", false)] {
            assert_eq!(wants(Some("join"), Some("leave"), is), wanted, "{is}");
        }
        assert!(wants(Some("leave"), Some("leave"), "leave"));
    }
}
