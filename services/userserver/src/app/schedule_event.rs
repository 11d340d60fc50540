//! Keeps an event that is to be sent later (MSC4140, "Scheduling a delayed event").

use std::{collections::BTreeMap, time::Duration};

use banyan_core::ServiceError;
use banyan_proto::{
    users::{DelayedEvent, DelayedEventScheduled, DelayedEventsForgotten, DelayedStanding, UserEntry, user_entry::Kind},
    userserver::{ScheduleEventRequest, ScheduleEventResponse},
};
use banyan_rooms::reader::At;
use banyan_users::delayed_events::{MAX_CONTENT, MAX_KEY, due, forgettable, is_open};
use ruma::RoomId;

use super::{
    command::{Command, active_account, malformed},
    entries,
};
use crate::{
    host::Inner,
    schedule::Due,
    shard::{MAX_GROUP, Shard},
};

/// Characters of a delay id: about 190 bits, for whoever knows it may decide about the event.
const ID_LENGTH: usize = 32;

/// Schedules the event and answers its delay id; a transaction or request that is repeated gets the one that it made.
pub(crate) async fn schedule_event(inner: &Inner, request: ScheduleEventRequest) -> Result<ScheduleEventResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller.clone())?;
    check(&command, &request)?;
    let user_id = command.user_id.as_str();
    let shard = inner.shard_of(user_id)?;
    let mut turn = shard.turn(user_id, command.tenant_name(), command.request_id).await?;
    let made = turn.earlier.iter().find_map(|entry| match &entry.kind {
        Some(Kind::DelayedEventScheduled(scheduled)) => Some(scheduled.delay_id.clone()),
        _ => None,
    });
    if let Some(delay_id) = made {
        return Ok(ScheduleEventResponse { delay_id });
    }
    active_account(inner, user_id).await?;
    let standings = inner.shared.reader.delayed_standings(user_id).await?;
    let same = |standing: &DelayedStanding| !request.transaction.is_empty() && standing.transaction == request.transaction;
    if let Some((delay_id, _)) = standings.iter().find(|(_, standing)| same(standing)) {
        return Ok(ScheduleEventResponse { delay_id: delay_id.clone() });
    }
    let now = inner.shared.clock.now().as_millis();
    check_room_for_one(&command, &shard, &standings, now)?;
    let delay_id = inner.shared.entropy.alphanumeric(ID_LENGTH);
    let standing = DelayedStanding {
        delay: i64::try_from(request.delay).unwrap_or(i64::MAX),
        running_since: now,
        transaction: request.transaction.clone(),
        ..DelayedStanding::default()
    };
    shard.schedule.add(Due { at: due(&standing), user_id: user_id.to_owned(), delay_id: delay_id.clone() });
    let event = event(inner, user_id, request).await?;
    let scheduled = DelayedEventScheduled { delay_id: delay_id.clone(), event: Some(event), standing: Some(standing) };
    let mut group = vec![entries::entry(user_id, Kind::DelayedEventScheduled(scheduled))];
    group.extend(forgotten(user_id, forgettable(&standings, now)));
    turn.commit(group).await?;
    Ok(ScheduleEventResponse { delay_id })
}

fn check(command: &Command, request: &ScheduleEventRequest) -> Result<(), ServiceError> {
    let limits = command.tenant.config().delayed_events;
    if request.delay == 0 || request.delay > limits.max_delay_ms || !matches!(request.transaction.len(), 0 | 16) {
        return Err(malformed("a delay or transaction that is none"));
    }
    let key = request.state_key.as_deref().unwrap_or_default();
    if request.r#type.len() > MAX_KEY || key.len() > MAX_KEY || request.content.len() > MAX_CONTENT {
        return Err(ServiceError::too_large("The event is larger than an event may be"));
    }
    Ok(())
}

/// Refuses where too many events wait: of the user, or in the whole shard.
fn check_room_for_one(
    command: &Command,
    shard: &Shard,
    standings: &BTreeMap<String, DelayedStanding>,
    now: i64,
) -> Result<(), ServiceError> {
    let open: Vec<i64> = standings.values().filter(|standing| is_open(standing)).map(due).collect();
    let next = if open.len() >= command.tenant.config().delayed_events.max_scheduled {
        open.into_iter().min()
    } else if shard.schedule.is_full() {
        shard.schedule.first()
    } else {
        return Ok(());
    };
    let wait = u64::try_from(next.unwrap_or(now).saturating_sub(now)).unwrap_or_default().max(1_000);
    Err(ServiceError::limit_exceeded("The maximum number of delayed events has been reached", Duration::from_millis(wait)))
}

async fn event(inner: &Inner, user_id: &str, request: ScheduleEventRequest) -> Result<DelayedEvent, ServiceError> {
    let ScheduleEventRequest { room_id, r#type, state_key, content, redacts, .. } = request;
    let mut state_before = String::new();
    if let Some(state_key) = &state_key {
        let room_id = RoomId::parse(room_id.as_str()).map_err(|error| ServiceError::invalid_param(error.to_string()))?;
        let current = inner.shared.rooms.state_event(&room_id, &r#type, state_key, &At::Now).await?;
        state_before = current.map(|event| event.event_id.to_string()).unwrap_or_default();
    }
    Ok(DelayedEvent { user_id: user_id.to_owned(), room_id, r#type, state_key, content, redacts, state_before })
}

/// The entry that forgets delayed events, if there are any to be forgotten.
pub(super) fn forgotten(user_id: &str, delay_ids: Vec<String>) -> Option<UserEntry> {
    let any = !delay_ids.is_empty();
    any.then(|| entries::entry(user_id, Kind::DelayedEventsForgotten(DelayedEventsForgotten { delay_ids })))
}

/// The entries that forget all of a user's delayed events.
pub(super) async fn forget_all(inner: &Inner, user_id: &str) -> Result<Vec<UserEntry>, ServiceError> {
    let ids: Vec<String> = inner.shared.reader.delayed_standings(user_id).await?.into_keys().collect();
    Ok(ids.chunks(MAX_GROUP).filter_map(|ids| forgotten(user_id, ids.to_vec())).collect())
}
