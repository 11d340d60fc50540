//! Sends a delayed event: decides it, has the room's owner send it, and notes what became of it. The command to the room has the delay id
//! as its transaction id, so whoever goes on with it after an interruption sends nothing twice.

use banyan_core::{ErrorCode, RequestId, ServiceError};
use banyan_proto::{
    roomserver::{self, SendEventRequest},
    users::{Account, DelayedEvent, DelayedStanding, DelayedState, account},
};
use banyan_rooms::{client_event::DELAYED_SCOPE, reader::At};
use banyan_users::{
    delayed_events::{due, forgettable},
    user_id::server_name,
};
use ruma::RoomId;
use serde::Deserialize;
use serde_json::json;

use super::{
    command::{deactivated, refuse_locked},
    schedule_event::forgotten,
    update_delayed_event::{conflict, entry, unknown},
};
use crate::{
    host::Inner,
    schedule::{Due, RETRY},
    shard::{Shard, Turn},
};

/// An event that is being sent.
struct Sending {
    event: DelayedEvent,
    standing: DelayedStanding,
    guest: bool,
}

/// What is to be done.
enum Decision {
    Send(Box<Sending>),
    /// Nothing: it is finalised, gone, or not due.
    Leave(Option<DelayedStanding>),
}

/// Sends what is due, unless the rows say otherwise.
pub(crate) async fn on_time(inner: &Inner, shard: &Shard, reminder: Due) {
    let Due { user_id, delay_id, .. } = &reminder;
    if let Err(error) = attempt(inner, shard, user_id, delay_id, false).await {
        tracing::warn!(user_id, %error, "a delayed event could not be sent just now; this is tried again");
        shard.schedule.add(in_a_moment(inner, user_id, delay_id));
    }
}

/// Sends it now. What prevents it is answered, and the event stays scheduled.
pub(super) async fn by_action(inner: &Inner, user_id: &str, delay_id: &str) -> Result<(), ServiceError> {
    let shard = inner.shard_of(user_id)?;
    let standing = attempt(inner, &shard, user_id, delay_id, true).await?.ok_or_else(unknown)?;
    match standing.state() {
        DelayedState::Sent => Ok(()),
        _ => Err(conflict("It has been cancelled")),
    }
}

/// Does all of it; answers how the event stands, `None` if there is none. An error is what another try may overcome, or, by action, why
/// the event was not sent.
async fn attempt(
    inner: &Inner,
    shard: &Shard,
    user_id: &str,
    delay_id: &str,
    by_action: bool,
) -> Result<Option<DelayedStanding>, ServiceError> {
    let sending = match decide(inner, shard, user_id, delay_id, by_action).await? {
        Decision::Send(sending) => sending,
        Decision::Leave(standing) => return Ok(standing),
    };
    let outcome = inner.shared.tell.send(request(delay_id, &sending)).await;
    if let Err(error) = &outcome
        && may_pass(error)
    {
        return Err(error.clone());
    }
    let mut turn = turn(inner, shard, user_id).await?;
    let Some(mut standing) = inner.shared.reader.delayed_standing(user_id, delay_id).await? else { return Ok(None) };
    if standing.state() != DelayedState::Sending {
        // Somebody else was faster.
        return Ok(Some(standing));
    }
    let now = inner.shared.clock.now().as_millis();
    standing.request_id.clear();
    let answer = match outcome {
        Ok(event_id) => {
            standing.set_state(DelayedState::Sent);
            (standing.event_id, standing.finalised) = (event_id, now);
            Ok(())
        }
        Err(error) if standing.by_action && due(&standing) > now => {
            standing.set_state(DelayedState::Scheduled);
            standing.by_action = false;
            shard.schedule.add(reminder(due(&standing), user_id, delay_id));
            Err(error)
        }
        Err(error) => {
            fail(&mut standing, &error, now);
            if by_action { Err(error) } else { Ok(()) }
        }
    };
    finish(inner, &mut turn, user_id, delay_id, standing.clone()).await?;
    answer.map(|()| Some(standing))
}

/// Decides whether it is sent, before anybody can cancel it any more.
async fn decide(inner: &Inner, shard: &Shard, user_id: &str, delay_id: &str, by_action: bool) -> Result<Decision, ServiceError> {
    let mut turn = turn(inner, shard, user_id).await?;
    let reader = &inner.shared.reader;
    let event = reader.delayed_event(delay_id).await?.filter(|event| event.user_id == user_id);
    let (Some(event), Some(mut standing)) = (event, reader.delayed_standing(user_id, delay_id).await?) else {
        return Ok(Decision::Leave(None));
    };
    let now = inner.shared.clock.now().as_millis();
    let account = reader.account(user_id).await?.unwrap_or_default();
    match standing.state() {
        // What was decided stays so: the room may have it already.
        DelayedState::Sending => {}
        DelayedState::Scheduled if !by_action && due(&standing) > now => {
            shard.schedule.add(reminder(due(&standing), user_id, delay_id));
            return Ok(Decision::Leave(Some(standing)));
        }
        DelayedState::Scheduled => {
            if let Err(error) = check_overtaken(inner, &event).await? {
                fail(&mut standing, &error, now);
                finish(inner, &mut turn, user_id, delay_id, standing.clone()).await?;
                return Ok(Decision::Leave(Some(standing)));
            }
            if let Err(error) = may_send(&account) {
                fail(&mut standing, &error, now);
                finish(inner, &mut turn, user_id, delay_id, standing.clone()).await?;
                return if by_action { Err(error) } else { Ok(Decision::Leave(Some(standing))) };
            }
            standing.set_state(DelayedState::Sending);
            standing.by_action = by_action;
            standing.request_id = RequestId::generate(&*inner.shared.clock, &*inner.shared.entropy).to_bytes().to_vec().into();
            if by_action {
                // Whoever asked for it may go away in between.
                shard.schedule.add(in_a_moment(inner, user_id, delay_id));
            }
            turn.commit(vec![entry(user_id, delay_id, standing.clone())]).await?;
        }
        DelayedState::Sent | DelayedState::Cancelled | DelayedState::Failed => return Ok(Decision::Leave(Some(standing))),
    }
    let guest = account.kind() == account::Kind::Guest;
    Ok(Decision::Send(Box::new(Sending { event, standing, guest })))
}

/// Notes how it ended.
async fn finish(
    inner: &Inner,
    turn: &mut Turn<'_>,
    user_id: &str,
    delay_id: &str,
    standing: DelayedStanding,
) -> Result<(), ServiceError> {
    let standings = inner.shared.reader.delayed_standings(user_id).await?;
    let old = forgotten(user_id, forgettable(&standings, inner.shared.clock.now().as_millis()));
    turn.commit([entry(user_id, delay_id, standing)].into_iter().chain(old).collect()).await
}

/// It was not sent, and is not going to be.
fn fail(standing: &mut DelayedStanding, error: &ServiceError, now: i64) {
    standing.set_state(DelayedState::Failed);
    let mut object = error.extra.as_deref().and_then(|extra| serde_json::from_str(extra).ok()).unwrap_or_else(|| json!({}));
    object["errcode"] = json!(error.errcode.as_deref().unwrap_or("M_UNKNOWN"));
    object["error"] = json!(error.message);
    (standing.error, standing.finalised) = (object.to_string().into(), now);
}

/// Whether another try may succeed.
const fn may_pass(error: &ServiceError) -> bool {
    matches!(
        error.code,
        ErrorCode::NotOwner | ErrorCode::Unknown | ErrorCode::Unavailable | ErrorCode::Internal | ErrorCode::Overloaded
    )
}

/// Refuses what the account may not do any more.
fn may_send(account: &Account) -> Result<(), ServiceError> {
    if account.deactivated {
        return Err(deactivated());
    }
    refuse_locked(account)?;
    if account.suspended {
        return Err(ServiceError::matrix(ErrorCode::Forbidden, "M_USER_SUSPENDED", "This account has been suspended"));
    }
    Ok(())
}

#[derive(Deserialize)]
struct Sender {
    sender: String,
}

/// Refuses state that somebody else has set meanwhile (MSC4140, "Cancelling delayed state events by a more recent state event").
async fn check_overtaken(inner: &Inner, event: &DelayedEvent) -> Result<Result<(), ServiceError>, ServiceError> {
    let (Some(state_key), Ok(room_id)) = (&event.state_key, RoomId::parse(event.room_id.as_str())) else { return Ok(Ok(())) };
    let Some(current) = inner.shared.rooms.state_event(&room_id, &event.r#type, state_key, &At::Now).await? else {
        return Ok(Ok(()));
    };
    let sender = serde_json::from_slice::<Sender>(&current.pdu).map(|event| event.sender).unwrap_or_default();
    if current.event_id == event.state_before || sender == event.user_id {
        return Ok(Ok(()));
    }
    let error = conflict("Somebody else has set this state meanwhile");
    Ok(Err(error.with_extra(r#"{"org.matrix.msc4140.errcode":"M_CANCELLED_BY_STATE_UPDATE"}"#.to_owned())))
}

fn request(delay_id: &str, sending: &Sending) -> SendEventRequest {
    let Sending { event, standing, guest } = sending;
    SendEventRequest {
        caller: Some(roomserver::Caller {
            tenant: server_name(&event.user_id).unwrap_or_default().to_owned(),
            user_id: event.user_id.clone(),
            device_id: String::new(),
            request_id: standing.request_id.clone(),
            guest: *guest,
        }),
        room_id: event.room_id.clone(),
        r#type: event.r#type.clone(),
        state_key: event.state_key.clone(),
        content: event.content.clone(),
        redacts: event.redacts.clone(),
        txn_id: delay_id.to_owned(),
        txn_scope: DELAYED_SCOPE.to_owned(),
    }
}

async fn turn<'a>(inner: &Inner, shard: &'a Shard, user_id: &str) -> Result<Turn<'a>, ServiceError> {
    let request_id = RequestId::generate(&*inner.shared.clock, &*inner.shared.entropy);
    shard.turn(user_id, server_name(user_id).unwrap_or_default(), request_id).await
}

fn reminder(at: i64, user_id: &str, delay_id: &str) -> Due {
    Due { at, user_id: user_id.to_owned(), delay_id: delay_id.to_owned() }
}

fn in_a_moment(inner: &Inner, user_id: &str, delay_id: &str) -> Due {
    let pause = i64::try_from(RETRY.as_millis()).unwrap_or(i64::MAX);
    reminder(inner.shared.clock.now().as_millis().saturating_add(pause), user_id, delay_id)
}
