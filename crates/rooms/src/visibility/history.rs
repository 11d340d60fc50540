//! How a user came and went.

use ruma::events::room::member::MembershipState;

use crate::RoomPlace;

/// One change of a user's membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembershipChange {
    /// Where its event stands.
    pub place: RoomPlace,
    /// The membership from then on.
    pub membership: MembershipState,
}

/// Whether a user joined at any time after `place`. `changes` are newest first and reach back to `place` at least.
#[must_use]
pub fn joined_after(changes: &[MembershipChange], place: RoomPlace) -> bool {
    changes.iter().take_while(|change| change.place > place).any(|change| change.membership == MembershipState::Join)
}

/// Where a user last stopped being joined; `None` if they never were. `changes` are newest first and complete.
#[must_use]
pub fn last_departure(changes: &[MembershipChange]) -> Option<RoomPlace> {
    let pair = changes.windows(2).find(|pair| {
        let [after, before] = pair else { return false };
        after.membership != MembershipState::Join && before.membership == MembershipState::Join
    })?;
    Some(pair[0].place)
}
