//! Marks a room as forgotten by a user who has left it (client-server specification, POST /rooms/{roomId}/forget).

use std::sync::Arc;

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::rooms::{CurrentChange, Forgotten, MembershipRow, room_entry::Kind};
use ruma::OwnedRoomId;

use crate::actor::{Caller, Shard, Turn};

/// Forgets the room. Doing it again is no error.
pub(crate) async fn forget_room(shard: Arc<Shard>, caller: Caller, room_id: OwnedRoomId) -> Result<(), ServiceError> {
    if shard.earlier(&caller, None).await?.is_some() {
        return Ok(());
    }
    let mut turn = loop {
        let turn = Turn::begin(&shard, &room_id).await?;
        // A leave that is being written must be in the row that is written here.
        let event = match turn.exists() {
            true => turn.state_event("m.room.member", caller.user_id.as_str()).await?,
            false => None,
        };
        let Some(outcome) = event.and_then(|event| shard.moving(event.event_id())) else { break turn };
        drop(turn);
        outcome.await?;
        tokio::task::yield_now().await;
    };
    let row = turn.reader().membership(&caller.user_id, &room_id).await?;
    let row = row.ok_or_else(|| ServiceError::not_found("you were never in this room"))?;
    if !matches!(row.membership.as_str(), "leave" | "ban") {
        let message = "you have to leave the room before you can forget it";
        return Err(ServiceError::matrix(ErrorCode::InvalidArgument, "M_UNKNOWN", message));
    }
    if row.forgotten {
        return Ok(());
    }
    let membership = Some(change(caller.user_id.as_str(), row));
    turn.push(Kind::Forgotten(Forgotten { user_id: caller.user_id.to_string(), membership }));
    turn.commit(&caller, Vec::new(), room_id.as_str()).await?;
    Ok(())
}

fn change(user_id: &str, row: MembershipRow) -> CurrentChange {
    CurrentChange {
        r#type: "m.room.member".to_owned(),
        state_key: user_id.to_owned(),
        event_id: row.event_id,
        previous_event_id: row.previous_event_id,
        pdu: row.pdu,
        membership: row.membership,
        previous_membership: row.previous_membership,
        sender: row.sender,
        stripped_state: row.stripped_state,
    }
}
