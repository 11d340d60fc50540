//! Who may see which event (client-server specification, "Room history visibility").
//!
//! An event is judged by the state at it: the history visibility then, the reader's membership then, and, for `shared` history,
//! whether the reader joined at any time after it. What a reader could once see stays visible to them.

mod access;
mod filter;
mod history;

use ruma::events::room::{history_visibility::HistoryVisibility, member::MembershipState};

pub use self::{
    access::Access,
    filter::{VisibilityFilter, Visible},
    history::{MembershipChange, joined_after, last_departure},
};

/// What counts at an event: the setting and the reader's membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The room's history visibility.
    pub visibility: HistoryVisibility,
    /// The reader's membership.
    pub membership: MembershipState,
}

impl Moment {
    /// Whether a reader may see an event at this moment; `joined_later`: they joined at some time after it.
    #[must_use]
    pub fn allows(&self, joined_later: bool) -> bool {
        match (&self.visibility, &self.membership) {
            (HistoryVisibility::WorldReadable, _) | (_, MembershipState::Join) => true,
            (HistoryVisibility::Invited, membership) => *membership == MembershipState::Invite,
            (HistoryVisibility::Joined, _) => false,
            // A setting that is not understood counts as `shared`, the default.
            _ => joined_later,
        }
    }
}

/// The visibility that a content's text means; `shared` if there is none or it is not understood.
#[must_use]
pub fn history_visibility(content: &str) -> HistoryVisibility {
    #[derive(serde::Deserialize)]
    struct Content {
        history_visibility: Option<serde_json::Value>,
    }
    let value = serde_json::from_str::<Content>(content).ok().and_then(|content| content.history_visibility);
    match value.as_ref().and_then(serde_json::Value::as_str) {
        Some("world_readable") => HistoryVisibility::WorldReadable,
        Some("invited") => HistoryVisibility::Invited,
        Some("joined") => HistoryVisibility::Joined,
        _ => HistoryVisibility::Shared,
    }
}

/// The membership that a content's text means; `leave` if there is none.
#[must_use]
pub fn membership(content: &str) -> MembershipState {
    #[derive(serde::Deserialize)]
    struct Content {
        membership: Option<String>,
    }
    let content = serde_json::from_str::<Content>(content).ok();
    content.and_then(|content| content.membership).map_or(MembershipState::Leave, MembershipState::from)
}

#[cfg(test)]
mod tests;
