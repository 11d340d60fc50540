//! Delayed events as rows.

use banyan_log::{DerivedRow, Entry};
use banyan_proto::users::{DelayedDue, DelayedEventChanged, DelayedEventScheduled, DelayedEventsForgotten, DelayedStanding};
use banyan_store::key;

use super::{delete, put};
use crate::{
    delayed_events::{due, is_open},
    tables::{DELAYED_DUE, DELAYED_EVENT, DELAYED_STANDING},
};

pub(super) fn scheduled(entry: &Entry, user_id: &str, scheduled: DelayedEventScheduled) -> Result<Vec<DerivedRow>, String> {
    let DelayedEventScheduled { delay_id, event, standing } = scheduled;
    let event = event.ok_or("a delayed event without a row")?;
    let mut rows = vec![put(&DELAYED_EVENT, key![delay_id.as_str()], key![], &event)];
    rows.extend(stands(entry, user_id, &delay_id, standing)?);
    Ok(rows)
}

pub(super) fn changed(entry: &Entry, user_id: &str, changed: DelayedEventChanged) -> Result<Vec<DerivedRow>, String> {
    stands(entry, user_id, &changed.delay_id, changed.standing)
}

fn stands(entry: &Entry, user_id: &str, delay_id: &str, standing: Option<DelayedStanding>) -> Result<Vec<DerivedRow>, String> {
    let standing = standing.ok_or("a delayed event that stands nowhere")?;
    let (shard, clustering) = (key![i64::from(entry.log.shard.0)], key![user_id, delay_id]);
    let waiting = match is_open(&standing) {
        true => put(&DELAYED_DUE, shard, clustering, &DelayedDue { due: due(&standing) }),
        false => delete(&DELAYED_DUE, shard, clustering),
    };
    Ok(vec![put(&DELAYED_STANDING, key![user_id], key![delay_id], &standing), waiting])
}

pub(super) fn forgotten(entry: &Entry, user_id: &str, forgotten: DelayedEventsForgotten) -> Vec<DerivedRow> {
    let shard = i64::from(entry.log.shard.0);
    let rows = |delay_id: String| {
        [
            delete(&DELAYED_EVENT, key![delay_id.as_str()], key![]),
            delete(&DELAYED_STANDING, key![user_id], key![delay_id.as_str()]),
            delete(&DELAYED_DUE, key![shard], key![user_id, delay_id]),
        ]
    };
    forgotten.delay_ids.into_iter().flat_map(rows).collect()
}
