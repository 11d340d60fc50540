//! Delayed events.

use std::collections::BTreeMap;

use banyan_core::ShardId;
use banyan_proto::users::{DelayedDue, DelayedEvent, DelayedStanding};
use banyan_store::{Range, Row, key};

use super::{PAGE, UserReader, decode, text};
use crate::{
    ReadError,
    tables::{DELAYED_DUE, DELAYED_EVENT, DELAYED_STANDING},
};

impl UserReader {
    /// What is to be sent, or was; `None` if there is no such delayed event, or it is forgotten.
    pub async fn delayed_event(&self, delay_id: &str) -> Result<Option<DelayedEvent>, ReadError> {
        self.get(&DELAYED_EVENT, key![delay_id], key![]).await
    }

    /// How a delayed event of the user stands.
    pub async fn delayed_standing(&self, user_id: &str, delay_id: &str) -> Result<Option<DelayedStanding>, ReadError> {
        self.get(&DELAYED_STANDING, key![user_id], key![delay_id]).await
    }

    /// How all delayed events of a user stand, finalised ones too as long as they are remembered, by delay id.
    pub async fn delayed_standings(&self, user_id: &str) -> Result<BTreeMap<String, DelayedStanding>, ReadError> {
        let rows = self.scan(&DELAYED_STANDING, key![user_id], Range::all(PAGE)).await?;
        let read = |row: Row| Ok((text(&DELAYED_STANDING, &row.clustering, 0)?, decode(&DELAYED_STANDING, row.value)?));
        rows.into_iter().map(read).collect()
    }

    /// The delayed events of a user shard that are not finalised: user, delay id, and when they are due (milliseconds).
    pub async fn delayed_due(&self, shard: ShardId) -> Result<Vec<(String, String, i64)>, ReadError> {
        let rows = self.scan(&DELAYED_DUE, key![i64::from(shard.0)], Range::all(PAGE)).await?;
        let read = |row: Row| {
            let due: DelayedDue = decode(&DELAYED_DUE, row.value)?;
            Ok((text(&DELAYED_DUE, &row.clustering, 0)?, text(&DELAYED_DUE, &row.clustering, 1)?, due.due))
        };
        rows.into_iter().map(read).collect()
    }
}
