//! Events that are sent later (MSC4140).

pub(crate) mod list;

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::{
    users::{DelayedEvent, DelayedStanding, DelayedState},
    userserver::{ScheduleEventRequest, UpdateDelayedEventRequest, update_delayed_event_request::Action},
};
use banyan_users::{delayed_events, user_id::server_name};
use bytes::Bytes;
use ruma::{OwnedRoomId, RoomId};
use serde_json::{Value, json};

use super::{App, Requester, auth::suspended, caller::Visitor, send::redacts_of};
use crate::calls::UserClient;

/// An event that is to be sent later.
pub(crate) struct Delayed {
    pub(crate) room_id: OwnedRoomId,
    pub(crate) kind: String,
    pub(crate) state_key: Option<String>,
    pub(crate) content: Bytes,
    /// Milliseconds.
    pub(crate) delay: u64,
    /// Empty where the endpoint has none.
    pub(crate) transaction: Bytes,
}

impl Delayed {
    /// The transaction of a request that sends an event to a room.
    pub(crate) fn transaction(requester: &Requester, room_id: &RoomId, kind: &str, txn_id: &str) -> Bytes {
        delayed_events::transaction(&requester.device_id, &format!("send {room_id} {kind}"), txn_id)
    }
}

impl App {
    /// Schedules an event and answers its delay id; the same for a repetition of the transaction. Whether the user may send it is
    /// judged when it is sent.
    ///
    /// # Errors
    /// 400 M_UNKNOWN with `org.matrix.msc4140.errcode` M_MAX_DELAY_EXCEEDED, M_LIMIT_EXCEEDED, M_FORBIDDEN where the tenant has none.
    pub(crate) async fn schedule(&self, requester: &Requester, event: Delayed) -> Result<String, ServiceError> {
        let limits = requester.visitor.tenant.config().delayed_events;
        if !limits.enabled() {
            return Err(ServiceError::forbidden("There are no delayed events here"));
        }
        if event.delay > limits.max_delay_ms {
            return Err(too_long(limits.max_delay_ms));
        }
        let Delayed { room_id, kind, state_key, content, delay, transaction } = event;
        let is_redaction = kind == "m.room.redaction" && state_key.is_none();
        let redacts = if is_redaction { redacts_of(&content)? } else { String::new() };
        if requester.suspended && state_key.is_some() {
            return Err(suspended());
        }
        self.check_suspended(requester, &room_id, &redacts).await?;
        let request = ScheduleEventRequest {
            caller: Some(requester.to_users()),
            room_id: room_id.to_string(),
            r#type: kind,
            state_key,
            content,
            redacts,
            delay,
            transaction,
        };
        let call = |mut client: UserClient, request| async move { client.schedule_event(request).await };
        Ok(self.commands.user(requester.user_id.as_str(), request, call).await?.delay_id)
    }

    /// The delayed event that a transaction of the caller's made.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn scheduled_before(
        &self,
        requester: &Requester,
        transaction: &Bytes,
    ) -> Result<Option<String>, ServiceError> {
        let standings = self.users.delayed_standings(requester.user_id.as_str()).await?;
        Ok(standings.into_iter().find(|(_, standing)| standing.transaction == *transaction).map(|(delay_id, _)| delay_id))
    }

    /// Cancels, restarts or sends a delayed event, for whoever knows its id.
    ///
    /// # Errors
    /// M_NOT_FOUND, 409 M_UNKNOWN where it ended otherwise, and why it cannot be sent.
    pub(crate) async fn update_delayed(&self, visitor: &Visitor, delay_id: &str, action: Action) -> Result<(), ServiceError> {
        let event = self.users.delayed_event(delay_id).await?;
        let event = event.filter(|event| server_name(&event.user_id) == Some(visitor.server_name())).ok_or_else(unknown)?;
        let caller = Some(visitor.about_user(&event.user_id));
        let request = UpdateDelayedEventRequest { caller, delay_id: delay_id.to_owned(), action: action.into() };
        let call = |mut client: UserClient, request| async move { client.update_delayed_event(request).await };
        self.commands.user(&event.user_id, request, call).await?;
        Ok(())
    }

    /// A delayed event of the caller's.
    ///
    /// # Errors
    /// M_NOT_FOUND.
    pub(crate) async fn delayed_event(&self, requester: &Requester, delay_id: &str) -> Result<Value, ServiceError> {
        let standing = self.users.delayed_standing(requester.user_id.as_str(), delay_id).await?;
        let now = self.clock.now().as_millis();
        let standing = standing.filter(|standing| !delayed_events::is_over(standing, now)).ok_or_else(unknown)?;
        let event = self.users.delayed_event(delay_id).await?.ok_or_else(unknown)?;
        described(delay_id, &event, &standing)
    }
}

/// MSC4140, "Getting a single delayed event": in the form that servers give it under the unstable name, and beside it in the form that
/// matrix-js-sdk reads by now.
fn described(delay_id: &str, event: &DelayedEvent, standing: &DelayedStanding) -> Result<Value, ServiceError> {
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).map_err(|error| ServiceError::internal(error.to_string()));
    let mut object = json!({
        "delay_id": delay_id,
        "room_id": event.room_id,
        "type": event.r#type,
        "delay": standing.delay,
        "running_since": standing.running_since,
        "delay_ms": standing.delay,
        "delayed_since_ts": standing.running_since,
        "content": json(&event.content)?,
    });
    if let Some(state_key) = &event.state_key {
        object["state_key"] = json!(state_key);
    }
    let (name, outcome) = match standing.state() {
        DelayedState::Sent => ("event_id", json!(standing.event_id)),
        DelayedState::Failed => ("error", json(&standing.error)?),
        DelayedState::Scheduled | DelayedState::Sending | DelayedState::Cancelled => ("", Value::Null),
    };
    if standing.finalised != 0 {
        object["origin_server_ts"] = json!(standing.finalised);
        object["finalised"] = json!({ "finalised_ts": standing.finalised });
        if !name.is_empty() {
            object["finalised"][name] = outcome.clone();
            object[name] = outcome;
        }
    }
    Ok(object)
}

fn unknown() -> ServiceError {
    ServiceError::not_found("There is no such delayed event")
}

/// In the form that clients know while the proposal is one.
fn too_long(max_delay: u64) -> ServiceError {
    let error = ServiceError::matrix(ErrorCode::InvalidArgument, "M_UNKNOWN", "The requested delay exceeds the allowed maximum");
    let extra = json!({ "org.matrix.msc4140.errcode": "M_MAX_DELAY_EXCEEDED", "org.matrix.msc4140.max_delay": max_delay });
    error.with_extra(extra.to_string())
}
