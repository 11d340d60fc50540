//! Cancels, restarts or sends a delayed event (MSC4140, "Managing scheduled delayed events").

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::{
    users::{DelayedState, UserEntry, user_entry::Kind},
    userserver::{UpdateDelayedEventRequest, UpdateDelayedEventResponse, update_delayed_event_request::Action},
};
use banyan_users::delayed_events::due;

use super::{
    command::{Command, malformed},
    entries, fire_delayed_event,
};
use crate::{host::Inner, schedule::Due};

/// Does it. What is finalised already with the outcome that is wanted is a success.
pub(crate) async fn update_delayed_event(
    inner: &Inner,
    request: UpdateDelayedEventRequest,
) -> Result<UpdateDelayedEventResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller.clone())?;
    match request.action() {
        Action::Send => fire_delayed_event::by_action(inner, &command.user_id, &request.delay_id).await?,
        Action::Cancel | Action::Restart => change(inner, &command, &request).await?,
        Action::Unspecified => return Err(malformed("no action")),
    }
    Ok(UpdateDelayedEventResponse {})
}

async fn change(inner: &Inner, command: &Command, request: &UpdateDelayedEventRequest) -> Result<(), ServiceError> {
    let (user_id, delay_id) = (command.user_id.as_str(), request.delay_id.as_str());
    let shard = inner.shard_of(user_id)?;
    let mut turn = shard.turn(user_id, command.tenant_name(), command.request_id).await?;
    if !turn.earlier.is_empty() {
        return Ok(());
    }
    let mut standing = inner.shared.reader.delayed_standing(user_id, delay_id).await?.ok_or_else(unknown)?;
    let restart = request.action() == Action::Restart;
    match standing.state() {
        DelayedState::Scheduled => {}
        DelayedState::Cancelled | DelayedState::Failed if restart => return Err(conflict("It has been cancelled")),
        DelayedState::Cancelled | DelayedState::Failed => return Ok(()),
        // Calls that are told so schedule another.
        DelayedState::Sending | DelayedState::Sent if restart => return Err(unknown()),
        DelayedState::Sending | DelayedState::Sent => return Err(conflict("It has been sent")),
    }
    let reminder = |at| Due { at, user_id: user_id.to_owned(), delay_id: delay_id.to_owned() };
    let before = reminder(due(&standing));
    let now = inner.shared.clock.now().as_millis();
    if restart {
        standing.running_since = now;
        shard.schedule.add(reminder(due(&standing)));
    } else {
        standing.set_state(DelayedState::Cancelled);
        (standing.by_action, standing.finalised) = (true, now);
    }
    let after = reminder(due(&standing));
    turn.commit(vec![entry(user_id, delay_id, standing)]).await?;
    if !restart || after != before {
        shard.schedule.remove(&before);
    }
    Ok(())
}

/// How a delayed event stands from now on.
pub(super) fn entry(user_id: &str, delay_id: &str, standing: banyan_proto::users::DelayedStanding) -> UserEntry {
    let changed = banyan_proto::users::DelayedEventChanged { delay_id: delay_id.to_owned(), standing: Some(standing) };
    entries::entry(user_id, Kind::DelayedEventChanged(changed))
}

pub(super) fn unknown() -> ServiceError {
    ServiceError::not_found("There is no such delayed event")
}

pub(super) fn conflict(what: &'static str) -> ServiceError {
    ServiceError::matrix(ErrorCode::Conflict, "M_UNKNOWN", what)
}
