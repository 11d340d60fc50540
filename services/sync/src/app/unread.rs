//! What is unread in a room (client-server specification, "Receiving notifications").

use std::sync::Arc;

use banyan_core::LogSeq;
use banyan_rooms::reader::{RoomReader, RoomUnread, UnreadOfRoom, UnreadOfUser};
use moka::sync::Cache;
use ruma::{RoomId, UserId};

use super::{Context, context::room_id};
use crate::{error::SyncError, tails::RoomPlan};

/// Totals (and places up to which users read) that stay in memory, of rooms and of users in rooms.
const OF_ROOMS: u64 = 200_000;
const OF_USERS: u64 = 200_000;

/// The counts of a joined room; `None`: there is nothing else to tell of it (`quiet`), and they did not move since the token.
///
/// They may be newer than the moment of the plan: then what moved them is told again.
pub(crate) async fn tell(context: &Context, plan: &RoomPlan, quiet: bool) -> Result<Option<RoomUnread>, SyncError> {
    let id = room_id(&plan.room)?;
    let count = || context.source.unread.count(&context.source.rooms, plan, &id, &context.user);
    if let (Some(changes), Some(_)) = (&plan.changes, plan.since) {
        let moved = changes.iter().any(|change| change.moves_counts_of(context.user.as_str()));
        return if quiet && !moved { Ok(None) } else { count().await.map(Some) };
    }
    let unread = count().await?;
    let old = plan.since.is_some_and(|since| unread.seq < since);
    Ok((!quiet || !old).then_some(unread))
}

/// The counts as they are now.
pub(super) async fn read(context: &Context, room: &str) -> Result<RoomUnread, SyncError> {
    Ok(context.source.rooms.unread(&room_id(room)?, &context.user).await?)
}

/// What counts are made of, as it was read when the tails were at a position.
type Read<T> = (LogSeq, Arc<T>);

/// Keeps what counts are made of for as long as the tails show that it did not change: of a message, each of its readers is told the counts.
#[derive(Clone, Debug)]
pub struct UnreadCache {
    rooms: Cache<Arc<str>, Read<UnreadOfRoom>>,
    users: Cache<(Arc<str>, Arc<str>), Read<UnreadOfUser>>,
}

impl Default for UnreadCache {
    fn default() -> Self {
        let weight = |entries: usize| u32::try_from(entries + 1).unwrap_or(u32::MAX);
        Self {
            rooms: Cache::builder()
                .max_capacity(OF_ROOMS)
                .weigher(move |_, read: &Read<UnreadOfRoom>| weight(read.1.totals.len()))
                .build(),
            users: Cache::builder()
                .max_capacity(OF_USERS)
                .weigher(move |_, read: &Read<UnreadOfUser>| weight(read.1.entries()))
                .build(),
        }
    }
}

impl UnreadCache {
    async fn count(&self, reader: &RoomReader, plan: &RoomPlan, id: &RoomId, user_id: &UserId) -> Result<RoomUnread, SyncError> {
        let key = (plan.room.clone(), Arc::from(user_id.as_str()));
        let room = match self.rooms.get(&plan.room).filter(|read| holds(plan, read.0, plan.counted.everybody)) {
            Some((_, room)) => room,
            None => Arc::new(reader.unread_of_room(id).await?),
        };
        let user = match self.users.get(&key).filter(|read| holds(plan, read.0, plan.counted.user)) {
            Some((_, user)) => user,
            None => Arc::new(reader.unread_of_user(id, user_id).await?),
        };
        let unread = reader.count_unread(id, user_id, &room, &user).await?;
        // It holds up to the plan's position: what was read is at least as new, and what was kept did not change.
        self.rooms.insert(plan.room.clone(), (plan.upto, room));
        self.users.insert(key, (plan.upto, user));
        Ok(unread)
    }
}

/// Whether what was read at a position is still so: the tail reaches back to it, and has no later change.
fn holds(plan: &RoomPlan, read: LogSeq, moved: Option<LogSeq>) -> bool {
    plan.counted.first <= read && moved.is_none_or(|moved| moved < read)
}
