//! The body of POST /createRoom (client-server specification, "Creation").

use banyan_core::ServiceError;
use ruma::OwnedUserId;
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

/// What a client asks of a new room.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct CreateBody {
    #[serde(default)]
    pub(crate) visibility: Option<Visibility>,
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) topic: Option<String>,
    #[serde(default)]
    pub(crate) invite: Vec<OwnedUserId>,
    #[serde(default)]
    pub(crate) initial_state: Vec<InitialState>,
    #[serde(default)]
    pub(crate) preset: Option<Preset>,
    #[serde(default)]
    pub(crate) is_direct: Option<bool>,
    #[serde(default)]
    pub(crate) power_level_content_override: Option<Map<String, Value>>,
}

/// Whether the room is in the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Visibility {
    Public,
    Private,
}

/// A bundle of settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Preset {
    #[serde(rename = "private_chat")]
    Private,
    #[serde(rename = "public_chat")]
    Public,
    #[serde(rename = "trusted_private_chat")]
    TrustedPrivate,
}

/// A state event the client wants from the start.
#[derive(Debug, Deserialize)]
pub(crate) struct InitialState {
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    #[serde(default)]
    pub(crate) state_key: String,
    pub(crate) content: Box<RawValue>,
}

impl CreateBody {
    /// Reads a request's body.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, ServiceError> {
        if json.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(json).map_err(|error| ServiceError::bad_json(error.to_string()))
    }

    /// The preset that holds: the one named, or the one that goes with the visibility.
    pub(crate) fn preset(&self) -> Preset {
        self.preset.unwrap_or(match self.visibility {
            Some(Visibility::Public) => Preset::Public,
            Some(Visibility::Private) | None => Preset::Private,
        })
    }

    /// Whether the initial state has an event of this type with an empty state key.
    pub(crate) fn sets(&self, event_type: &str) -> bool {
        self.initial_state.iter().any(|event| event.event_type == event_type && event.state_key.is_empty())
    }
}

impl Preset {
    pub(crate) const fn join_rule(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private | Self::TrustedPrivate => "invite",
        }
    }

    pub(crate) const fn guest_access(self) -> &'static str {
        match self {
            Self::Public => "forbidden",
            Self::Private | Self::TrustedPrivate => "can_join",
        }
    }

    /// The level that inviting takes: anyone may in a private room, moderators in a public one.
    const fn invite_level(self) -> i64 {
        match self {
            Self::Public => 50,
            Self::Private | Self::TrustedPrivate => 0,
        }
    }
}

/// The first m.room.power_levels. `creators` are those with infinite power (room version 12 on; they must not be listed), else empty.
pub(crate) fn power_levels(body: &CreateBody, creator: &str, creators: &[String]) -> Map<String, Value> {
    let privileged = !creators.is_empty();
    let mut users = Map::new();
    if !privileged {
        users.insert(creator.to_owned(), Value::from(100));
    }
    if body.preset() == Preset::TrustedPrivate {
        let equals = body.invite.iter().filter(|user| !creators.iter().any(|creator| *creator == user.as_str()));
        users.extend(equals.map(|user| (user.to_string(), Value::from(100))));
    }
    let tombstone = if privileged { 150 } else { 100 };
    let events = serde_json::json!({
        "m.room.avatar": 50,
        "m.room.canonical_alias": 50,
        "m.room.encryption": 100,
        "m.room.history_visibility": 100,
        "m.room.name": 50,
        "m.room.power_levels": 100,
        "m.room.server_acl": 100,
        "m.room.tombstone": tombstone,
    });
    let mut content = Map::new();
    content.insert("ban".into(), 50.into());
    content.insert("events".into(), events);
    content.insert("events_default".into(), 0.into());
    content.insert("invite".into(), body.preset().invite_level().into());
    content.insert("kick".into(), 50.into());
    content.insert("redact".into(), 50.into());
    content.insert("state_default".into(), 50.into());
    content.insert("users".into(), users.into());
    content.insert("users_default".into(), 0.into());
    content.extend(body.power_level_content_override.clone().unwrap_or_default());
    content
}

/// m.room.topic, in plain form and as extensible text (client-server specification, "m.room.topic").
pub(crate) fn topic(text: &str) -> Value {
    serde_json::json!({"topic": text, "m.topic": {"m.text": [{"body": text, "mimetype": "text/plain"}]}})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(json: &Value) -> CreateBody {
        CreateBody::parse(json.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn the_visibility_picks_the_preset_unless_one_is_named() {
        assert_eq!(body(&serde_json::json!({})).preset(), Preset::Private);
        assert_eq!(body(&serde_json::json!({"visibility": "public"})).preset(), Preset::Public);
        let both = serde_json::json!({"visibility": "public", "preset": "trusted_private_chat"});
        assert_eq!(body(&both).preset(), Preset::TrustedPrivate);
    }

    #[test]
    fn creators_of_version_12_are_not_listed_and_tombstones_take_150() {
        let body = body(&serde_json::json!({"preset": "trusted_private_chat", "invite": ["@b:x", "@c:x"]}));
        let old = power_levels(&body, "@a:x", &[]);
        assert_eq!(old["users"], serde_json::json!({"@a:x": 100, "@b:x": 100, "@c:x": 100}));
        assert_eq!(old["events"]["m.room.tombstone"], 100);
        let new = power_levels(&body, "@a:x", &["@a:x".to_owned(), "@b:x".to_owned(), "@c:x".to_owned()]);
        assert_eq!(new["users"], serde_json::json!({}));
        assert_eq!(new["events"]["m.room.tombstone"], 150);
    }

    #[test]
    fn the_override_replaces_whole_members() {
        let body = body(&serde_json::json!({"power_level_content_override": {"users": {"@z:x": 1}, "invite": 33}}));
        let content = power_levels(&body, "@a:x", &[]);
        assert_eq!(content["users"], serde_json::json!({"@z:x": 1}));
        assert_eq!(content["invite"], 33);
        assert_eq!(content["kick"], 50);
    }

    #[test]
    fn an_unknown_preset_is_bad_json() {
        let error = CreateBody::parse(br#"{"preset":"club"}"#).unwrap_err();
        assert_eq!(error.errcode.as_deref(), Some("M_BAD_JSON"));
    }
}
