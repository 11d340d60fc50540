//! What else than rooms a response tells (MSC4186, "Extensions"). Extensions that are not known are left alone.

use serde::Deserialize;

use super::lists::Matched;

/// The extensions of a request.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Extensions {
    account_data: Option<Scope>,
}

/// An extension about rooms: about which.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Scope {
    enabled: Option<bool>,
    lists: Option<Vec<String>>,
    rooms: Option<Vec<String>>,
}

impl Extensions {
    /// Account data (MSC3959), if they are asked for.
    pub(super) fn account_data(&self) -> Option<&Scope> {
        self.account_data.as_ref().filter(|scope| scope.is_enabled())
    }
}

impl Scope {
    fn is_enabled(&self) -> bool {
        self.enabled == Some(true)
    }

    /// Whether it is about a room: by a list that shows it, or by its subscription. What is left out, or `*`, means all.
    pub(super) fn takes(&self, room: &Matched<'_>) -> bool {
        let takes = |names: &Option<Vec<String>>, name: &str| {
            names.as_ref().is_none_or(|names| names.iter().any(|known| known == "*" || known == name))
        };
        room.lists.iter().any(|list| takes(&self.lists, list)) || (room.subscribed && takes(&self.rooms, &room.glimpse.room))
    }
}
