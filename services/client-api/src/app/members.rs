//! Reading a room's members.

use banyan_core::ServiceError;
use banyan_rooms::{
    RoomPlace,
    reader::{At, MembersQuery},
    stream_token::PageToken,
    visibility::Access,
};
use ruma::{OwnedUserId, RoomId, events::room::member::MembershipState};
use serde_json::Value;

use super::{App, Requester, state::not_a_member};

/// Which members a client asks for.
#[derive(Debug, Default)]
pub(crate) struct MembersWish {
    /// A token of a sync or of a page of messages.
    pub(crate) at: Option<String>,
    pub(crate) membership: Option<String>,
    pub(crate) not_membership: Option<String>,
}

/// A member as /joined_members shows it.
#[derive(Debug)]
pub(crate) struct JoinedMember {
    pub(crate) user_id: OwnedUserId,
    pub(crate) display_name: Option<String>,
    pub(crate) avatar_url: Option<String>,
}

impl App {
    /// The member events of a room, in the client format.
    ///
    /// # Errors
    /// M_FORBIDDEN for who is not and was not in the room, M_INVALID_PARAM for a token that is none.
    pub(crate) async fn members(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        wish: MembersWish,
    ) -> Result<Vec<Vec<u8>>, ServiceError> {
        let access = self.access(requester, room_id).await?;
        let asked = match wish.at {
            Some(token) => Some(self.place_of(room_id, &token).await?),
            None => None,
        };
        let at = match (access, asked) {
            (Access::Left(left), asked) => At::Place(asked.map_or(left, |asked| asked.min(left))),
            (_, Some(asked)) => At::Place(asked),
            (_, None) => At::Now,
        };
        let (membership, not_membership) =
            (wish.membership.map(MembershipState::from), wish.not_membership.map(MembershipState::from));
        let query = MembersQuery { at, membership, not_membership };
        self.rooms.members(room_id, &query).await?.iter().map(|event| self.render_state(event, room_id)).collect()
    }

    /// The users who are joined now, for who is joined too.
    ///
    /// # Errors
    /// M_FORBIDDEN for others.
    pub(crate) async fn joined_members(&self, requester: &Requester, room_id: &RoomId) -> Result<Vec<JoinedMember>, ServiceError> {
        if self.access(requester, room_id).await? != Access::Joined {
            return Err(not_a_member());
        }
        let members = self.rooms.joined_members(room_id).await?;
        let member = |(user_id, event): (OwnedUserId, banyan_rooms::reader::StateEvent)| {
            let content: Value = serde_json::from_str(&event.content()).unwrap_or_default();
            let text = |name: &str| content[name].as_str().map(str::to_owned);
            JoinedMember { user_id, display_name: text("displayname"), avatar_url: text("avatar_url") }
        };
        Ok(members.into_iter().map(member).collect())
    }

    /// The place in a room's timeline that a token means, as a bound: the point just after it.
    ///
    /// # Errors
    /// M_INVALID_PARAM for what is no token.
    pub(crate) async fn place_of(&self, room_id: &RoomId, token: &str) -> Result<RoomPlace, ServiceError> {
        let invalid = |error: banyan_rooms::stream_token::TokenError| ServiceError::invalid_param(error.to_string());
        match token.parse::<PageToken>().map_err(invalid)? {
            PageToken::Place(place) => Ok(place.0),
            PageToken::Stream(token) => {
                let token = banyan_rooms::stream_token::StreamToken::parse(&token.to_string(), self.shards).map_err(invalid)?;
                let next = token.room(self.shards.shard_of(room_id.as_str()));
                // A token has seen what is below its position.
                let Some(last) = next.0.checked_sub(1) else { return Ok(RoomPlace::START) };
                let place = self.rooms.place_at(room_id, banyan_core::LogSeq(last)).await?;
                Ok(place.unwrap_or(RoomPlace::START))
            }
        }
    }
}
