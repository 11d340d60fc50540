//! Rooms that are forgotten by who is out of them, where a tenant wants it so (client-server specification,
//! "m.forget_forced_upon_leave capability").

use banyan_proto::rooms::{Forgotten, room_entry::Kind};
use ruma::UserId;

use crate::actor::Turn;

/// Marks the room as forgotten by a user whom this turn has taken out of it.
pub(super) fn forget(turn: &mut Turn, user_id: &UserId) {
    let forced = turn.tenants().get(user_id.server_name().as_str()).is_some_and(|tenant| tenant.config().forget_rooms_upon_leave);
    if !forced {
        return;
    }
    let Some(change) = turn.member_change(user_id) else { return };
    if matches!(change.membership.as_str(), "leave" | "ban") {
        turn.push(Kind::Forgotten(Forgotten { user_id: user_id.to_string(), membership: Some(change) }));
    }
}
