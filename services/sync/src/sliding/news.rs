//! In which rooms something happened that the client lacks.

use std::collections::HashSet;

use banyan_core::LogSeq;

use super::{
    connection::{Connection, Id, Sent},
    extensions::Scope,
    facts::Known,
    lists::{Listing, Matched, View},
};
use crate::tails::{Glimpse, change::Membership};

/// Rooms that no rule asks for now.
pub(super) struct Passed {
    /// Something happened in them: from where on the client lacks it.
    behind: Vec<(Id, LogSeq)>,
    /// The user left them, and the client knows.
    over: HashSet<Id>,
}

/// What became of rooms that the client has and no rule asks for.
pub(super) fn passed(view: &View<'_>, rooms: &[(Id, Glimpse)], listing: &Listing<'_>) -> Passed {
    let matched: HashSet<Id> = listing.matched.iter().map(|room| room.id).collect();
    let mut passed = Passed { behind: Vec::new(), over: HashSet::new() };
    for (id, glimpse) in rooms.iter().filter(|(id, _)| !matched.contains(id)) {
        let Some(sent) = view.connection.room(id) else { continue };
        let since = view.has_until(glimpse, sent);
        if has_news(glimpse, since, &listing.known, sent.receipts) {
            if sent.until.is_none() {
                passed.behind.push((*id, since));
            }
        } else if glimpse.standing.membership == Membership::Leave && glimpse.standing.sender == view.user {
            passed.over.insert(*id);
        }
    }
    passed
}

impl Passed {
    /// Notes it, and forgets what need not be kept.
    pub(super) fn keep(self, connection: &mut Connection, listing: &Listing<'_>) {
        for (id, since) in self.behind {
            if let Some(sent) = connection.room(&id) {
                let sent = Sent { until: Some(since), ..sent.clone() };
                connection.set(id, sent);
            }
        }
        connection.forget(|id| self.over.contains(id));
        connection.shrink(&listing.matched.iter().map(|room| room.id).collect());
    }
}

/// Whether there may be something to tell of a room since a position. `receipts`: these, too; unlike what else happens, they leave no trace
/// in a room's head.
fn has_news(glimpse: &Glimpse, since: LogSeq, known: &Known, receipts: bool) -> bool {
    let joined = glimpse.standing.membership == Membership::Join;
    let quiet = || !receipts && known.is_quiet(&glimpse.room, since);
    glimpse.standing.seq >= since || (joined && glimpse.has_news(since) && !quiet())
}

/// Whether to look at a room that is asked for, and since when. `receipts`: of which rooms they are asked for.
pub(super) fn look<'b, 'a>(
    view: &View<'_>,
    room: &'b Matched<'a>,
    known: &Known,
    receipts: Option<&Scope>,
) -> Option<(&'b Matched<'a>, Option<LogSeq>)> {
    let Some(sent) = view.connection.room(&room.id) else { return Some((room, None)) };
    let since = view.has_until(room.glimpse, sent);
    let config = &room.config;
    let receipts = receipts.is_some_and(|scope| scope.takes(room));
    let wider = sent.config.timeline_limit < config.timeline_limit || !config.required_state.is_within(&sent.config.required_state);
    let wider = (wider || (receipts && !sent.receipts)) && room.glimpse.standing.membership == Membership::Join;
    let dm = view.notes.is_direct(&room.glimpse.room) != sent.dm;
    (has_news(room.glimpse, since, known, receipts) || wider || dm).then_some((room, Some(since)))
}
