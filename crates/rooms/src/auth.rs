//! Authorisation: may this event be, given a state? The rules are the specification's ("Authorisation rules" of each room version) by
//! ruma; ordinary events (messages, and state that no rule is about) take a short way with everything parsed beforehand.

use std::collections::HashMap;

use ruma::{
    EventId,
    events::{StateEventType, TimelineEventType},
    state_res::{auth_types_for_event, check_state_dependent_auth_rules, check_state_independent_auth_rules},
};

use crate::{pdu::Pdu, state::StateKey, version::RoomVersion};

/// The event is not allowed; the text says by which rule, in words a client may be shown with `M_FORBIDDEN`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AuthError(pub String);

impl AuthError {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// The part of a state that authorisation looks at.
#[derive(Clone, Debug, Default)]
pub struct AuthState {
    // A handful at most, so a list beats a map.
    events: Vec<(StateKey, Pdu)>,
}

impl AuthState {
    /// The state made of these state events; what is no state event is left out.
    pub fn new(events: impl IntoIterator<Item = Pdu>) -> Self {
        let mut state = Self::default();
        for event in events {
            state.insert(event);
        }
        state
    }

    /// Puts a state event in, in place of the one of its key.
    pub fn insert(&mut self, event: Pdu) {
        let Some(key) = event.key() else { return };
        match self.events.iter_mut().find(|(of, _)| *of == key) {
            Some((_, old)) => *old = event,
            None => self.events.push((key, event)),
        }
    }

    /// The event of this type and state key.
    #[must_use]
    pub fn get(&self, event_type: &StateEventType, state_key: &str) -> Option<&Pdu> {
        self.events.iter().find(|(key, _)| key.event_type == *event_type && key.state_key == state_key).map(|(_, event)| event)
    }

    /// The create event.
    #[must_use]
    pub fn create(&self) -> Option<&Pdu> {
        self.get(&StateEventType::RoomCreate, "")
    }

    /// The power levels event.
    #[must_use]
    pub fn power_levels(&self) -> Option<&Pdu> {
        self.get(&StateEventType::RoomPowerLevels, "")
    }

    /// All events, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Pdu> {
        self.events.iter().map(|(_, event)| event)
    }
}

impl FromIterator<Pdu> for AuthState {
    fn from_iter<T: IntoIterator<Item = Pdu>>(events: T) -> Self {
        Self::new(events)
    }
}

/// The keys whose events an event names in `auth_events` (server-server specification, "Auth events selection").
///
/// # Errors
///
/// If the content does not fit the type, for example a member event without a membership.
pub fn auth_keys(
    version: &RoomVersion,
    kind: &TimelineEventType,
    sender: &ruma::UserId,
    state_key: Option<&str>,
    content: &serde_json::value::RawValue,
) -> Result<Vec<StateKey>, AuthError> {
    let types = auth_types_for_event(kind, sender, state_key, content, version.authorization()).map_err(AuthError)?;
    Ok(types.into_iter().map(|(event_type, state_key)| StateKey { event_type, state_key }).collect())
}

/// The keys that must be in the [`AuthState`] to judge `event`: its auth events and, in every room version, the create event.
///
/// # Errors
///
/// As [`auth_keys`].
pub fn required_keys(event: &Pdu) -> Result<Vec<StateKey>, AuthError> {
    let mut keys = auth_keys(event.version(), event.kind(), event.sender(), event.state_key(), event.content())?;
    let create = StateKey::plain(StateEventType::RoomCreate);
    if !event.is_create() && !keys.contains(&create) {
        keys.push(create);
    }
    Ok(keys)
}

/// Checks what does not depend on a state: the create event's own rules, and that an event names the right auth events, none of them
/// rejected. `events` are its auth events and the create event.
///
/// # Errors
///
/// The rule that it breaks. Such an event is rejected.
pub fn check_auth_events(event: &Pdu, events: &HashMap<&EventId, Pdu>) -> Result<(), AuthError> {
    check_state_independent_auth_rules(event.version().authorization(), event, |id| events.get(id)).map_err(AuthError)
}

/// Checks `event` against a state that holds at least its [`required_keys`].
///
/// # Errors
///
/// The rule that it breaks.
pub fn check(event: &Pdu, state: &AuthState) -> Result<(), AuthError> {
    check_with(event, |event_type, state_key| state.get(event_type, state_key))
}

/// The same with any way to look state up.
///
/// # Errors
///
/// The rule that it breaks.
pub fn check_with<'a>(event: &Pdu, lookup: impl Fn(&StateEventType, &str) -> Option<&'a Pdu>) -> Result<(), AuthError> {
    if let Some(answer) = check_ordinary(event, &lookup) {
        return answer;
    }
    check_state_dependent_auth_rules(event.version().authorization(), event, lookup).map_err(AuthError)
}

/// The rules for events of types that have no rules of their own, from values parsed once per event they come from. `None` where that
/// does not decide it.
fn check_ordinary<'a>(event: &Pdu, lookup: &impl Fn(&StateEventType, &str) -> Option<&'a Pdu>) -> Option<Result<(), AuthError>> {
    let rules = event.version().authorization();
    let special = matches!(
        event.kind(),
        TimelineEventType::RoomCreate
            | TimelineEventType::RoomMember
            | TimelineEventType::RoomPowerLevels
            | TimelineEventType::RoomThirdPartyInvite
    );
    // Old versions have rules for redactions and aliases too.
    if special || rules.special_case_room_redaction || rules.special_case_room_aliases {
        return None;
    }
    let create = lookup(&StateEventType::RoomCreate, "")?;
    let levels = lookup(&StateEventType::RoomPowerLevels, "");
    let powers = crate::power::Powers::new(create.clone(), levels.cloned()).ok()?;
    let sender = event.sender();
    if !create.create_info().ok()?.federate() && create.sender().server_name() != sender.server_name() {
        return Some(Err(AuthError::new("the room is closed to other servers")));
    }
    let membership = lookup(&StateEventType::RoomMember, sender.as_str()).and_then(Pdu::membership);
    if membership != Some("join") {
        return Some(Err(AuthError::new(format!("{sender} has not joined the room"))));
    }
    if !powers.may_send(sender, event.kind(), event.state_key().is_some()) {
        return Some(Err(AuthError::new(format!("{sender} does not have enough power to send an event of type {}", event.kind()))));
    }
    if event.state_key().is_some_and(|key| key.starts_with('@') && key != sender) {
        return Some(Err(AuthError::new("the state key of an event must not be another user's id")));
    }
    Some(Ok(()))
}

#[cfg(test)]
mod tests;
