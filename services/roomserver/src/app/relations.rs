//! Relations that a client may not make (client-server API, "Validation of m.thread relationships", "Avoiding duplicate annotations").

use banyan_core::{ErrorCode, ServiceError};
use banyan_rooms::relation::{ANNOTATION, Relation, THREAD};

use ruma::CanonicalJsonObject;

use super::send_event::SendEvent;
use crate::actor::Turn;

/// Refuses a thread off an event that relates to another itself, and an annotation that its sender has made already.
pub(super) async fn check(turn: &Turn, command: &SendEvent, content: &CanonicalJsonObject) -> Result<(), ServiceError> {
    let Some(relates_to) = content.get("m.relates_to") else { return Ok(()) };
    let relation = serde_json::json!({ "m.relates_to": relates_to }).to_string();
    let Some(relation) = Relation::of_content(relation.as_bytes()) else { return Ok(()) };
    match relation.rel_type.as_str() {
        THREAD => check_root(turn, &relation).await,
        ANNOTATION if !relation.key.is_empty() => check_annotation(turn, command, &relation).await,
        _ => Ok(()),
    }
}

async fn check_root(turn: &Turn, relation: &Relation) -> Result<(), ServiceError> {
    let root = turn.reader().event(turn.room_id(), &relation.event_id).await?;
    if root.is_some_and(|root| Relation::of_pdu(&root.pdu).is_some()) {
        let message = "a thread cannot start from an event that relates to another";
        return Err(ServiceError::matrix(ErrorCode::InvalidArgument, "M_UNKNOWN", message));
    }
    Ok(())
}

async fn check_annotation(turn: &Turn, command: &SendEvent, relation: &Relation) -> Result<(), ServiceError> {
    let name = (&*command.caller.user_id, command.event_type.as_str(), relation.key.as_str());
    if turn.reader().annotation(turn.room_id(), &relation.event_id, name).await?.is_some() {
        let message = "you have annotated this event so already";
        return Err(ServiceError::matrix(ErrorCode::InvalidArgument, "M_DUPLICATE_ANNOTATION", message));
    }
    Ok(())
}
