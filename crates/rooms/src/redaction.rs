//! Redactions: who may, and what is left of an event (specification, "Redactions" and "Handling redactions" of the room versions).

use ruma::{UserId, canonical_json::CanonicalJsonFieldError, canonical_json::redact};

use crate::{
    pdu::{Pdu, PduError},
    power::Powers,
};

/// The event could not be redacted.
#[derive(Debug, thiserror::Error)]
pub enum RedactionError {
    /// A field that the algorithm needs is not what it must be.
    #[error(transparent)]
    Field(#[from] CanonicalJsonFieldError),
    /// What is left is no event.
    #[error(transparent)]
    Pdu(#[from] PduError),
}

/// What is left of `event`, as its room version says. Its id stays.
///
/// # Errors
///
/// If the event is malformed.
pub fn prune(event: &Pdu) -> Result<Pdu, RedactionError> {
    let left = redact(event.to_object(), &event.version().rules().redaction, None)?;
    Ok(Pdu::from_object(left, event.version())?.with_rejected(event.is_rejected()))
}

/// Whether `redaction`, an accepted `m.room.redaction`, is to be applied to `target` (room version 3 and later): its sender has the
/// redact level, or is of the target's sender's server. `powers` are those of the state before the redaction.
#[must_use]
pub fn applies(redaction: &Pdu, target: &Pdu, powers: &Powers) -> bool {
    redaction.redacts() == Some(target.event_id())
        && redaction.room_id() == target.room_id()
        && !target.is_create()
        && (redaction.sender().server_name() == target.sender().server_name() || powers.may_redact(redaction.sender()))
}

/// Whether a local user may ask for `target` to be redacted: their own event, or with the redact level (client-server specification,
/// "Server behaviour" of redactions).
#[must_use]
pub fn may_redact(user: &UserId, target: &Pdu, powers: &Powers) -> bool {
    !target.is_create() && (target.sender() == user || powers.may_redact(user))
}

#[cfg(test)]
mod tests;
