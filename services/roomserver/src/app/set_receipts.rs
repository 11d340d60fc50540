//! Moves receipts of a user forward (client-server specification, "Receipts").

use std::sync::Arc;

use banyan_core::ServiceError;
use banyan_proto::{rooms::Receipt, roomserver::NewReceipt};
use banyan_rooms::{
    RoomPlace,
    relation::{Relation, THREAD},
    tables::receipt::{PRIVATE, PUBLIC},
};
use ruma::{EventId, OwnedEventId, OwnedRoomId};

use crate::actor::{Caller, Shard};

/// Receipts of one command.
const MAX: usize = 16;
/// The thread of all that is in no thread.
const MAIN: &str = "main";
/// Relations from an event to the thread it is in.
const MAX_HOPS: usize = 3;

/// What is asked.
#[derive(Debug)]
pub(crate) struct SetReceipts {
    pub(crate) caller: Caller,
    pub(crate) room_id: OwnedRoomId,
    pub(crate) receipts: Vec<NewReceipt>,
}

/// Moves the receipts; doing it again changes nothing.
pub(crate) async fn set_receipts(shard: Arc<Shard>, command: SetReceipts) -> Result<(), ServiceError> {
    let SetReceipts { caller, room_id, receipts } = &command;
    if receipts.len() > MAX {
        return Err(ServiceError::invalid_param("too many receipts at once"));
    }
    shard.replayed().await?;
    let member = shard.shared.reader.membership(&caller.user_id, room_id).await?;
    if member.is_none_or(|row| row.membership != "join") {
        return Err(ServiceError::forbidden("you have not joined this room"));
    }
    let ts = u64::try_from(shard.shared.clock.now().as_millis()).unwrap_or(0);
    let mut moved = Vec::with_capacity(receipts.len());
    for NewReceipt { receipt_type, thread_id, event_id } in receipts {
        if receipt_type != PUBLIC && receipt_type != PRIVATE {
            return Err(ServiceError::invalid_param(format!("{receipt_type:?} is not a type of receipts")));
        }
        let RoomPlace { arrival, sub } = place(&shard, &command, thread_id, event_id).await?;
        moved.push(Receipt {
            user_id: caller.user_id.to_string(),
            receipt_type: receipt_type.clone(),
            thread_id: thread_id.clone(),
            event_id: event_id.clone(),
            arrival,
            sub,
            ts,
            slot: 0,
        });
    }
    shard.write_receipts(room_id, &caller.tenant, moved).await
}

/// Where the event stands, if it is in the thread.
async fn place(shard: &Shard, command: &SetReceipts, thread_id: &str, event_id: &str) -> Result<RoomPlace, ServiceError> {
    let unknown = || ServiceError::not_found("there is no such event in this room");
    let event_id = EventId::parse(event_id).map_err(|_| ServiceError::invalid_param(format!("{event_id:?} is not an event id")))?;
    let reader = &shard.shared.reader;
    if thread_id.is_empty() {
        return reader.place_of(&command.room_id, &event_id).await?.ok_or_else(unknown);
    }
    if thread_id != MAIN && EventId::parse(thread_id).is_err() {
        return Err(ServiceError::invalid_param("thread_id is main or the id of an event"));
    }
    let event = reader.event(&command.room_id, &event_id).await?.ok_or_else(unknown)?;
    let is_in = match thread_id {
        MAIN => !up_to(shard, command, Relation::of_pdu(&event.pdu), |relation| relation.rel_type == THREAD).await?,
        // Of its own thread a root is a part, too.
        root if *root == event_id => true,
        root => up_to(shard, command, Relation::of_pdu(&event.pdu), |relation| relation.event_id == root).await?,
    };
    match event.place {
        _ if !is_in => Err(ServiceError::invalid_param("the event is not in the thread thread_id")),
        Some(place) => Ok(place),
        None => Err(unknown()),
    }
}

/// Whether one of the relations that lead on from an event is such a one.
async fn up_to(
    shard: &Shard,
    command: &SetReceipts,
    first: Option<Relation>,
    wanted: impl Fn(&Relation) -> bool,
) -> Result<bool, ServiceError> {
    let mut relation = first;
    for _ in 0..MAX_HOPS {
        let Some(found) = relation else { return Ok(false) };
        if wanted(&found) {
            return Ok(true);
        }
        let next: OwnedEventId = found.event_id;
        let event = shard.shared.reader.event(&command.room_id, &next).await?;
        relation = event.and_then(|event| Relation::of_pdu(&event.pdu));
    }
    Ok(false)
}
