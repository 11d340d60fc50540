//! Joins to restricted rooms (`join_rule` `restricted` and `knock_restricted`): who may come in through which room, and which local
//! user vouches for it (client-server specification, "Restricted rooms").

use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde::Deserialize;

use crate::{pdu::Pdu, power::Powers};

/// What `m.room.join_rules` says of joining through membership of other rooms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JoinRules {
    /// `join_rule`: `public`, `invite`, `knock`, `restricted`, `knock_restricted`, `private` or something unknown.
    pub rule: String,
    /// Rooms whose members may join, of conditions of type `m.room_membership`.
    pub through: Vec<OwnedRoomId>,
}

impl JoinRules {
    /// Reads the event; without one (or an unreadable one) the rule is `invite`, the strictest.
    #[must_use]
    pub fn read(event: Option<&Pdu>) -> Self {
        #[derive(Deserialize)]
        struct Content {
            join_rule: String,
            #[serde(default)]
            allow: serde_json::Value,
        }
        let Some(content) = event.and_then(|event| event.content_as::<Content>().ok()) else {
            return Self { rule: "invite".to_owned(), through: Vec::new() };
        };
        let conditions = content.allow.as_array().map(Vec::as_slice).unwrap_or_default();
        let through = conditions
            .iter()
            .filter(|condition| condition["type"] == "m.room_membership")
            .filter_map(|condition| RoomId::parse(condition["room_id"].as_str()?).ok())
            .collect();
        Self { rule: content.join_rule, through }
    }

    /// Whether members of other rooms may join.
    #[must_use]
    pub fn is_restricted(&self) -> bool {
        matches!(self.rule.as_str(), "restricted" | "knock_restricted")
    }

    /// Whether knocking is possible.
    #[must_use]
    pub fn may_knock(&self) -> bool {
        matches!(self.rule.as_str(), "knock" | "knock_restricted")
    }
}

/// Picks who vouches for a join to a restricted room, for `content.join_authorised_via_users_server`: of the joined local users
/// `candidates`, the mightiest who may invite, so that the join outlives changes of power; among equals the first by name.
/// `None`: nobody here can, and a resident server that can must be asked.
pub fn choose<'a>(candidates: impl IntoIterator<Item = &'a UserId>, powers: &Powers) -> Option<OwnedUserId> {
    candidates
        .into_iter()
        .filter(|user| powers.may_invite(user))
        .max_by(|a, b| powers.of(a).cmp(&powers.of(b)).then_with(|| b.cmp(a)))
        .map(ToOwned::to_owned)
}
