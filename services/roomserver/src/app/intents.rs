//! What a command has promised and not done yet: an entry says so when the command is committed, and another when all is done. Whoever
//! owns the shard in between goes on. Everything here may be done twice.

use std::{sync::Arc, time::Duration};

use banyan_core::{RequestId, ServiceError};
use banyan_proto::rooms::{CopyRest, Intent, LeaveGuests, room_entry::Kind};
use bytes::Bytes;
use prost::Message;
use ruma::{OwnedRoomId, RoomId, UserId};

use super::{copied_state, guests};
use crate::actor::{Caller, Shard, Turn};

/// Copies what an upgrade had no place for: [`CopyRest`].
pub(super) const COPY: &str = "copy";
/// Lets guests leave a room that lets them in no more: [`LeaveGuests`].
pub(super) const GUESTS: &str = "guests";

/// Between tries of what failed.
const PAUSE: Duration = Duration::from_secs(5);

/// Goes on with everything that an earlier owner of the shard has left undone.
pub(crate) async fn resume(shard: Arc<Shard>) {
    while shard.check().is_ok() {
        match open(&shard).await {
            Ok(intents) => {
                for (room_id, name) in intents {
                    finish(&shard, &room_id, &name).await;
                }
                return;
            }
            Err(error) => tracing::warn!(log = %shard.log.id(), %error, "the intents of a shard cannot be read; trying again"),
        }
        shard.pause(PAUSE).await;
    }
}

/// The intents that are open, once the rows show all that was ever committed.
async fn open(shard: &Shard) -> Result<Vec<(OwnedRoomId, String)>, ServiceError> {
    // A request that was never made is looked for only when all rows are there.
    shard.log.find_request(RequestId::generate(&*shard.shared.clock, &*shard.shared.entropy)).await?;
    let intents = shard.shared.reader.intents(shard.log.id()).await?;
    Ok(intents.into_iter().filter_map(|(room_id, name, _)| Some((OwnedRoomId::try_from(room_id).ok()?, name))).collect())
}

/// Does what an intent says, now if possible, else in the background.
pub(super) async fn finish(shard: &Arc<Shard>, room_id: &RoomId, name: &str) {
    let Err(error) = attempt(shard, room_id, name).await else { return };
    tracing::warn!(%room_id, name, %error, "what a command promised is not done yet; trying again");
    let (background, room_id, name) = (shard.clone(), room_id.to_owned(), name.to_owned());
    shard.spawn(async move {
        while background.check().is_ok() {
            background.pause(PAUSE).await;
            match attempt(&background, &room_id, &name).await {
                Ok(()) => return,
                Err(error) => tracing::warn!(%room_id, name, %error, "what a command promised is not done yet; trying again"),
            }
        }
    });
}

/// Does what an intent says, and says that it is done.
async fn attempt(shard: &Arc<Shard>, room_id: &RoomId, name: &str) -> Result<(), ServiceError> {
    shard.check()?;
    let Some(row) = shard.shared.reader.intent(shard.log.id(), room_id, name).await? else { return Ok(()) };
    let user_id = match name {
        COPY => {
            let command: CopyRest = decode(row.command)?;
            let caller = caller(&command.user_id)?;
            copied_state::copy_rest(shard, room_id, &caller, &command).await?;
            command.user_id
        }
        GUESTS => {
            let command: LeaveGuests = decode(row.command)?;
            guests::leave(shard, room_id, &caller(&command.user_id)?).await?;
            command.user_id
        }
        // Of a newer version; it stays for one.
        _ => return Ok(()),
    };
    let mut turn = Turn::begin(shard, room_id).await?;
    turn.push(Kind::Intent(Intent { name: name.to_owned(), command: Bytes::new(), done: true }));
    turn.commit(&caller(&user_id)?, Vec::new(), room_id.as_str()).await?;
    Ok(())
}

fn decode<T: Message + Default>(command: Bytes) -> Result<T, ServiceError> {
    T::decode(command).map_err(|error| ServiceError::internal(format!("an intent: {error}")))
}

/// On whose behalf it is done; not a repetition of the command that promised it.
fn caller(user_id: &str) -> Result<Caller, ServiceError> {
    let user_id = UserId::parse(user_id).map_err(|error| ServiceError::internal(format!("an intent's user: {error}")))?;
    let tenant = user_id.server_name().as_str().into();
    Ok(Caller { tenant, user_id, device_id: String::new(), request_id: None, guest: false })
}
