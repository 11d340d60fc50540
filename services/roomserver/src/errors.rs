//! From the errors of crates/rooms to what callers are told.

use banyan_core::{ErrorCode, ServiceError};
use banyan_rooms::{
    ReadError,
    event_builder::{BuildError, CreateError},
    event_source::EventSourceError,
    placement::PlaceError,
    redaction::RedactionError,
    state::StateError,
};
use banyan_store::StoreError;

pub(crate) fn build(error: &BuildError) -> ServiceError {
    if error.is_too_large() {
        return ServiceError::too_large(error.to_string());
    }
    match error {
        BuildError::Signing(error) => ServiceError::internal(error.to_string()),
        error => ServiceError::bad_json(error.to_string()),
    }
}

pub(crate) fn create(error: &CreateError) -> ServiceError {
    match error {
        CreateError::Build(error) => build(error),
        error @ CreateError::Content { .. } => ServiceError::bad_json(error.to_string()),
    }
}

pub(crate) fn place(error: PlaceError) -> ServiceError {
    match error {
        PlaceError::Rejected(error) => ServiceError::forbidden(error.0),
        PlaceError::Version(error) => {
            ServiceError::matrix(ErrorCode::InvalidArgument, "M_UNSUPPORTED_ROOM_VERSION", error.to_string())
        }
        PlaceError::NotThisRoom(problem) => ServiceError::not_found(problem),
        PlaceError::Events(error) => events(error),
        PlaceError::State(error) => state(error),
        error => ServiceError::internal(error.to_string()),
    }
}

pub(crate) fn events(error: EventSourceError) -> ServiceError {
    match error {
        EventSourceError::Store(error) => store(error),
        error @ EventSourceError::Corrupt { .. } => ServiceError::internal(error.to_string()),
    }
}

pub(crate) fn state(error: StateError) -> ServiceError {
    match error {
        StateError::Store(error) => store(error),
        error => ServiceError::internal(error.to_string()),
    }
}

pub(crate) fn redaction(error: &RedactionError) -> ServiceError {
    ServiceError::internal(error.to_string())
}

fn store(error: StoreError) -> ServiceError {
    ReadError::Store(error).into()
}

/// A command that needs another server, which this installation does not talk to.
pub(crate) fn remote(user_id: &str) -> ServiceError {
    ServiceError::forbidden(format!("{user_id} is of another server, and this server does not federate"))
}
