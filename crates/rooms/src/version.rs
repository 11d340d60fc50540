//! Room versions: which ones are served, and their rules. All code asks the rules, never the version's name, so a further version is one
//! more line here (specification, "Room versions").

use ruma::{
    RoomVersionId,
    room_version_rules::{
        AuthorizationRules, EventsReferenceFormatVersion, RoomIdFormatVersion, RoomVersionDisposition, RoomVersionRules,
        StateResolutionV2Rules, StateResolutionVersion,
    },
};
use serde_json::{Value, json};

/// A room version that is served, with its rules.
#[derive(Debug)]
pub struct RoomVersion {
    id: RoomVersionId,
    name: &'static str,
    rules: RoomVersionRules,
    state_resolution: StateResolutionV2Rules,
}

/// The room version is not served: `M_UNSUPPORTED_ROOM_VERSION` or `M_INCOMPATIBLE_ROOM_VERSION`, as the endpoint says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("room version {0:?} is not supported")]
pub struct UnsupportedRoomVersion(pub String);

macro_rules! version {
    ($variant:ident, $name:literal) => {
        RoomVersion {
            id: RoomVersionId::$variant,
            name: $name,
            rules: RoomVersionRules::$variant,
            state_resolution: match RoomVersionRules::$variant.state_res {
                StateResolutionVersion::V2(rules) => rules,
                _ => panic!("state resolution v1 is not implemented"),
            },
        }
    };
}

static SERVED: [RoomVersion; 3] = [version!(V10, "10"), version!(V11, "11"), version!(V12, "12")];

impl RoomVersion {
    /// The version of this name.
    ///
    /// # Errors
    ///
    /// If it is not served.
    pub fn get(name: &str) -> Result<&'static Self, UnsupportedRoomVersion> {
        SERVED.iter().find(|version| version.name == name).ok_or_else(|| UnsupportedRoomVersion(name.to_owned()))
    }

    /// The version of rooms for which none is asked: 12.
    #[must_use]
    pub fn preferred() -> &'static Self {
        &SERVED[SERVED.len() - 1]
    }

    /// All served versions, oldest first.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &SERVED
    }

    /// Its identifier.
    #[must_use]
    pub const fn id(&self) -> &RoomVersionId {
        &self.id
    }

    /// Its name, as in `m.room.create`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        self.name
    }

    /// All of its rules.
    #[must_use]
    pub const fn rules(&self) -> &RoomVersionRules {
        &self.rules
    }

    /// Its authorisation rules.
    #[must_use]
    pub const fn authorization(&self) -> &AuthorizationRules {
        &self.rules.authorization
    }

    /// Its variant of state resolution v2.
    #[must_use]
    pub const fn state_resolution(&self) -> &StateResolutionV2Rules {
        &self.state_resolution
    }

    /// Whether the room's id is the hash of its create event, which then has no `room_id` and is nobody's auth event (12 and later).
    #[must_use]
    pub const fn room_id_is_create_hash(&self) -> bool {
        matches!(self.rules.room_id_format, RoomIdFormatVersion::V2)
    }

    /// Whether events refer to others by id alone (3 and later) and not by `[id, hashes]`.
    #[must_use]
    pub(crate) const fn plain_references(&self) -> bool {
        matches!(self.rules.events_reference_format, EventsReferenceFormatVersion::V2)
    }

    /// The `m.room_versions` capability: `{"default": "12", "available": {"10": "stable", …}}`.
    #[must_use]
    pub fn capability() -> Value {
        let available: serde_json::Map<String, Value> = SERVED
            .iter()
            .map(|version| {
                let stable = version.rules.disposition == RoomVersionDisposition::Stable;
                (version.name.to_owned(), Value::from(if stable { "stable" } else { "unstable" }))
            })
            .collect();
        json!({ "default": Self::preferred().name, "available": available })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_is_preferred_and_old_versions_are_refused() {
        assert_eq!(RoomVersion::preferred().as_str(), "12");
        assert!(RoomVersion::get("12").unwrap().room_id_is_create_hash());
        assert!(!RoomVersion::get("11").unwrap().room_id_is_create_hash());
        assert_eq!(RoomVersion::get("1").unwrap_err(), UnsupportedRoomVersion("1".to_owned()));
        assert_eq!(RoomVersion::capability()["available"]["10"], "stable");
    }
}
