//! What is unread in a room (client-server specification, "Receiving notifications").

use banyan_rooms::reader::RoomUnread;

use super::{Context, context::room_id};
use crate::{error::SyncError, tails::RoomPlan};

/// The counts of a joined room; `None`: there is nothing else to tell of it (`quiet`), and they did not move since the token.
///
/// They are read from the rows, and may be newer than the moment of the plan: then what moved them is told again.
pub(crate) async fn tell(context: &Context, plan: &RoomPlan, quiet: bool) -> Result<Option<RoomUnread>, SyncError> {
    if let (Some(changes), Some(_)) = (&plan.changes, plan.since) {
        let moved = changes.iter().any(|change| change.moves_counts_of(context.user.as_str()));
        return if quiet && !moved { Ok(None) } else { read(context, &plan.room).await.map(Some) };
    }
    let unread = read(context, &plan.room).await?;
    let old = plan.since.is_some_and(|since| unread.seq < since);
    Ok((!quiet || !old).then_some(unread))
}

/// The counts as they are now.
pub(super) async fn read(context: &Context, room: &str) -> Result<RoomUnread, SyncError> {
    Ok(context.source.rooms.unread(&room_id(room)?, &context.user).await?)
}
