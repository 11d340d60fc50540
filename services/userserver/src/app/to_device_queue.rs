//! How the messages that wait for a device leave its queue.

use banyan_core::ServiceError;
use banyan_proto::users::{ToDeviceDone, ToDeviceQueue, UserEntry, user_entry::Kind};
use banyan_users::to_device::MAX_WAITING;

use super::entries;
use crate::{host::Inner, shard::Turn};

/// Messages that one entry takes off a queue.
const PART: usize = 250;

/// Takes off what waits below `upto` and says so, entry by entry. Nothing is written where nothing waits.
pub(super) async fn take_off(
    inner: &Inner,
    turn: &mut Turn<'_>,
    user_id: &str,
    queue: &mut ToDeviceQueue,
    upto: u64,
) -> Result<(), ServiceError> {
    while queue.acknowledged < upto {
        let positions = oldest(inner, user_id, queue, upto).await?;
        if positions.is_empty() {
            return Ok(());
        }
        let whole = positions.len() < PART;
        turn.commit(vec![done(user_id, queue, positions, whole.then_some(upto))]).await?;
    }
    Ok(())
}

/// Empties the queues of devices that are about to go. That a device is gone voids its queue in any case; this frees the space.
pub(super) async fn discard_all<'a>(
    inner: &Inner,
    turn: &mut Turn<'_>,
    user_id: &str,
    devices: impl Iterator<Item = &'a String>,
) -> Result<(), ServiceError> {
    let rows = inner.shared.reader.to_device_queues(user_id).await?;
    for device_id in devices {
        let Some(row) = rows.get(device_id) else { continue };
        let mut queue = ToDeviceQueue { device_id: device_id.clone(), acknowledged: row.acknowledged, waiting: row.waiting };
        let upto = turn.applied().0;
        take_off(inner, turn, user_id, &mut queue, upto).await?;
    }
    Ok(())
}

/// Drops the oldest messages of a queue that is full.
pub(super) async fn make_room(
    inner: &Inner,
    turn: &mut Turn<'_>,
    user_id: &str,
    queue: &mut ToDeviceQueue,
) -> Result<(), ServiceError> {
    if queue.waiting < MAX_WAITING {
        return Ok(());
    }
    let positions = oldest(inner, user_id, queue, u64::MAX).await?;
    inner.shared.metrics.to_device_dropped(positions.len());
    tracing::warn!(user_id, device_id = queue.device_id, dropped = positions.len(), "too many messages wait for a device");
    turn.commit(vec![done(user_id, queue, positions, None)]).await
}

async fn oldest(inner: &Inner, user_id: &str, queue: &ToDeviceQueue, upto: u64) -> Result<Vec<u64>, ServiceError> {
    let waiting = inner.shared.reader.to_device(user_id, &queue.device_id, (queue.acknowledged, upto), PART).await?;
    Ok(waiting.into_iter().map(|(position, _)| position).collect())
}

/// The entry that takes messages off a queue: everything below `upto`, or up to the last of them.
fn done(user_id: &str, queue: &mut ToDeviceQueue, positions: Vec<u64>, upto: Option<u64>) -> UserEntry {
    let last = positions.last().map_or(queue.acknowledged, |last| last + 1);
    queue.acknowledged = upto.unwrap_or(last);
    queue.waiting = queue.waiting.saturating_sub(positions.len() as u64);
    entries::entry(user_id, Kind::ToDeviceDone(ToDeviceDone { queue: Some(queue.clone()), positions }))
}
