//! Redactions: the event that asks for it, and the target as it is kept from now on.

use std::sync::Arc;

use banyan_core::ServiceError;
use banyan_proto::rooms::{CurrentChange, Redacted, StateRoot, Transaction, room_entry::Kind};
use banyan_rooms::{event_source::KnownEvent, pdu::Pdu, reader::StoredEvent, redaction, relation::Relation, state::StateKey};
use ruma::{
    CanonicalJsonObject, EventId, OwnedEventId,
    events::{StateEventType, TimelineEventType},
};

use super::{
    guests, intents,
    send_event::{SendEvent, check_sender, draft},
};
use crate::{
    actor::{CommandKey, Shard, Turn},
    errors,
};

/// Sends a redaction and applies it.
pub(super) async fn redact(
    shard: &Arc<Shard>,
    command: &SendEvent,
    content: CanonicalJsonObject,
    transaction: Option<Transaction>,
) -> Result<Arc<str>, ServiceError> {
    let target_id = target_of(command, &content)?;
    let mut turn = loop {
        let turn = Turn::begin(shard, &command.room_id).await?;
        // The target's row is about to be written: what it holds then is what must be pruned.
        let Some(outcome) = shard.moving(&target_id) else { break turn };
        drop(turn);
        outcome.await?;
        // Whoever waits for the same outcome ends it in the same moment.
        tokio::task::yield_now().await;
    };
    if let Some(outcome) = shard.outcome(&command.caller, transaction.as_ref()) {
        drop(turn);
        return outcome.await;
    }
    check_sender(&turn, &command.caller.user_id).await?;
    let stored = turn.reader().event(&command.room_id, &target_id).await?;
    let stored = stored.ok_or_else(|| ServiceError::not_found("there is no such event in this room"))?;
    let target = read(&turn, &stored)?;
    let powers = turn.powers().await?;
    if target.sender() != command.caller.user_id && !powers.may_redact(&command.caller.user_id) {
        return Err(ServiceError::forbidden("you may not redact events of others in this room"));
    }
    if target.is_create() {
        return Err(ServiceError::forbidden("the create event of a room cannot be redacted"));
    }
    let mut draft = draft(&turn, command, content);
    draft.redacts = Some(target_id);
    let redaction = turn.build(draft, &[]).await?;
    turn.place(redaction.clone(), transaction.clone()).await?;
    let mut shuts_guests_out = false;
    if stored.redaction.is_none() && redaction::applies(&redaction, &target, &powers) {
        let was_current = apply(&mut turn, &stored, &target, &redaction).await?;
        // A redacted m.room.guest_access lets no guest in.
        shuts_guests_out = was_current && *target.kind() == TimelineEventType::RoomGuestAccess;
        if shuts_guests_out {
            guests::shut_out(&mut turn, &command.caller.user_id);
        }
    }
    let keys = transaction.iter().map(CommandKey::from).collect();
    let answer = turn.commit(&command.caller, keys, redaction.event_id().as_str()).await?;
    if shuts_guests_out {
        intents::finish(shard, &command.room_id, intents::GUESTS).await;
    }
    Ok(answer)
}

fn target_of(command: &SendEvent, content: &CanonicalJsonObject) -> Result<OwnedEventId, ServiceError> {
    let named = if command.redacts.is_empty() {
        content.get("redacts").and_then(|value| value.as_str()).unwrap_or_default()
    } else {
        command.redacts.as_str()
    };
    EventId::parse(named).map_err(|_| ServiceError::invalid_param("`redacts` is not an event id"))
}

fn read(turn: &Turn, stored: &StoredEvent) -> Result<Pdu, ServiceError> {
    Pdu::from_stored(stored.pdu.clone(), stored.event_id.clone(), turn.room_id(), turn.version()?)
        .map_err(|error| ServiceError::internal(error.to_string()))
}

/// Adds the entry of a redaction; answers whether the target is current state.
async fn apply(turn: &mut Turn, stored: &StoredEvent, target: &Pdu, redaction: &Pdu) -> Result<bool, ServiceError> {
    let pruned = redaction::prune(target).map_err(|error| errors::redaction(&error))?;
    let current = current(turn, target, &pruned).await?;
    let was_current = current.is_some();
    let place = stored.place.unwrap_or_default();
    let kind = Kind::Redacted(Redacted {
        event_id: stored.event_id.to_string(),
        arrival: place.arrival,
        sub: place.sub,
        pruned_pdu: pruned.json().clone(),
        redaction_event_id: redaction.event_id().to_string(),
        redaction_pdu: redaction.json().clone(),
        state_after: Some(stored.state_after.clone()).filter(|root| *root != StateRoot::default()),
        was_current_state: was_current,
        placed_seq: stored.seq.0,
        received: stored.received.0,
        soft_failed: stored.standing == banyan_proto::rooms::EventStanding::SoftFailed,
        replaces_state: stored.replaces_state.as_ref().map(ToString::to_string).unwrap_or_default(),
        prev_content: stored.prev_content.clone(),
        prev_sender: stored.prev_sender.clone(),
        transaction: stored.transaction.clone(),
        gap_before: stored.gap_before,
        current_seq: stored.seq.0,
        current,
        placed: stored.place.is_some(),
        standing: stored.standing.into(),
        current_buckets: turn.head()?.current_buckets,
        relation: Relation::of_pdu(target.json()).map(|relation| relation.to_proto()),
    });
    turn.push(kind);
    let known = turn.known(target).await?;
    turn.keep(KnownEvent { pdu: pruned, ..known });
    Ok(was_current)
}

/// The row of current state that the target is, if it is one.
async fn current(turn: &Turn, target: &Pdu, pruned: &Pdu) -> Result<Option<CurrentChange>, ServiceError> {
    let Some(key) = target.key() else { return Ok(None) };
    let StateKey { event_type, state_key } = &key;
    let is_current =
        turn.state_event(event_type.clone(), state_key).await?.is_some_and(|event| event.event_id() == target.event_id());
    if !is_current {
        return Ok(None);
    }
    let mut change = CurrentChange {
        r#type: event_type.to_string(),
        state_key: state_key.clone(),
        event_id: target.event_id().to_string(),
        sender: target.sender().to_string(),
        ..CurrentChange::default()
    };
    if *event_type == StateEventType::RoomMember
        && let Some(user_id) = key.as_member()
        && let Some(row) = turn.reader().membership(user_id, turn.room_id()).await?
    {
        change.membership = pruned.membership().unwrap_or("leave").to_owned();
        change.previous_membership = row.previous_membership;
        change.previous_event_id = row.previous_event_id;
        change.stripped_state = row.stripped_state;
    }
    Ok(Some(change))
}
