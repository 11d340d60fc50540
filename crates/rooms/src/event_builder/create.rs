//! The first event of a room.

use banyan_core::Entropy;
use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, MilliSecondsSinceUnixEpoch, OwnedUserId, RoomId, UserId, events::TimelineEventType,
};

use super::{BuildError, EventDraft, fields, finish, random_room_id};
use crate::{pdu::Pdu, signing::ServerSigner, version::RoomVersion};

/// What a new room is to be.
#[derive(Clone, Debug)]
pub struct NewRoom {
    /// Who makes it.
    pub creator: OwnedUserId,
    /// Its version.
    pub version: &'static RoomVersion,
    /// `creation_content` of the request, with `predecessor`, `type` and `additional_creators` as wanted. `creator` and `room_version`
    /// are overwritten.
    pub content: CanonicalJsonObject,
    /// Now.
    pub origin_server_ts: MilliSecondsSinceUnixEpoch,
}

/// A room could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// `creation_content` is not what it must be: `M_BAD_JSON`.
    #[error("creation_content: `{field}` {problem}")]
    Content {
        /// Which member.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The event cannot be made.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl CreateError {
    fn content(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Content { field, problem: problem.into() }
    }
}

/// Makes the `m.room.create` event of a new room; [`Pdu::room_id`] is the room: the event's hash, or a random id before version 12.
///
/// # Errors
///
/// If the content is wrong, or the event cannot be made.
pub fn create_room(room: NewRoom, signer: &ServerSigner, entropy: &dyn Entropy) -> Result<Pdu, CreateError> {
    let room_id = random_room_id(&room.creator, entropy).map_err(BuildError::from)?;
    create_room_as(room, &room_id, signer)
}

/// The same with an id that was chosen before ([`random_room_id`]); from version 12 on, where it is the event's hash, it is not looked at.
///
/// # Errors
///
/// As [`create_room`].
pub fn create_room_as(room: NewRoom, room_id: &RoomId, signer: &ServerSigner) -> Result<Pdu, CreateError> {
    let version = room.version;
    let content = checked_content(room.content, &room.creator, version)?;
    let draft = EventDraft {
        sender: room.creator.clone(),
        kind: TimelineEventType::RoomCreate,
        state_key: Some(String::new()),
        content,
        redacts: None,
        origin_server_ts: room.origin_server_ts,
    };
    let mut object = fields(draft, version, &[], &[], 1);
    if !version.room_id_is_create_hash() {
        object.insert("room_id".to_owned(), room_id.as_str().into());
    }
    Ok(finish(object, version, signer)?)
}

fn checked_content(
    mut content: CanonicalJsonObject,
    creator: &UserId,
    version: &RoomVersion,
) -> Result<CanonicalJsonObject, CreateError> {
    content.insert("room_version".to_owned(), version.as_str().into());
    if version.authorization().use_room_create_sender {
        content.remove("creator");
    } else {
        content.insert("creator".to_owned(), creator.as_str().into());
    }
    if content.get("m.federate").is_some_and(|federate| !federate.is_bool()) {
        return Err(CreateError::content("m.federate", "is not a boolean"));
    }
    if content.get("type").is_some_and(|kind| !kind.is_string()) {
        return Err(CreateError::content("type", "is not a string"));
    }
    if let Some(predecessor) = content.get("predecessor") {
        check_predecessor(predecessor)?;
    }
    if version.authorization().additional_room_creators
        && let Some(creators) = content.remove("additional_creators")
    {
        let creators = additional_creators(&creators, creator)?;
        if !creators.is_empty() {
            content.insert("additional_creators".to_owned(), CanonicalJsonValue::Array(creators));
        }
    }
    Ok(content)
}

fn check_predecessor(predecessor: &CanonicalJsonValue) -> Result<(), CreateError> {
    let text = |field: &str| predecessor.as_object().and_then(|object| object.get(field)).map(CanonicalJsonValue::as_str);
    match text("room_id") {
        Some(Some(room)) if RoomId::parse(room).is_ok() => {}
        _ => return Err(CreateError::content("predecessor", "has no valid `room_id`")),
    }
    match text("event_id") {
        Some(None) => Err(CreateError::content("predecessor", "has an `event_id` that is not a string")),
        _ => Ok(()),
    }
}

/// The users named, each once and without the creator.
fn additional_creators(creators: &CanonicalJsonValue, creator: &UserId) -> Result<Vec<CanonicalJsonValue>, CreateError> {
    let wrong = || CreateError::content("additional_creators", "is not an array of user ids");
    let mut users: Vec<CanonicalJsonValue> = Vec::new();
    for user in creators.as_array().ok_or_else(wrong)? {
        let id = UserId::parse(user.as_str().ok_or_else(wrong)?).map_err(|_| wrong())?;
        if *id != *creator && !users.contains(user) {
            users.push(user.clone());
        }
    }
    Ok(users)
}
