//! What happens to users and concerns the rooms they are in: the owner of a user shard follows its own log and tells the owners of the
//! rooms. How far it came is a cursor, so that another owner goes on from there; what is told twice is harmless.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use banyan_core::{LogId, LogSeq, ServiceError};
use banyan_log::{Entry, FollowError, Logs};
use banyan_proto::users::{UserEntry, user_entry::Kind};
use banyan_rooms::reader::RoomReader;
use prost::Message as _;
use ruma::{OwnedUserId, UserId};

use crate::calls::TellRooms;

/// The name of the follower.
const FOLLOWER: &str = "device_lists";
/// How long to wait before what failed is tried again.
const RETRY: Duration = Duration::from_millis(250);
/// Entries without effect after which the cursor is saved all the same: what is read again after a hand-over is no more.
const UNSAVED: u64 = 1_024;

/// What telling takes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct FanOut {
    pub(crate) logs: Logs,
    pub(crate) rooms: RoomReader,
    pub(crate) tell: Arc<dyn TellRooms>,
}

impl FanOut {
    /// Follows the log for as long as it is polled.
    pub(crate) async fn run(self, log: LogId) {
        let mut at = self.start(log).await;
        loop {
            at = self.follow(log, at).await;
        }
    }

    async fn start(&self, log: LogId) -> LogSeq {
        loop {
            let saved = async {
                match self.logs.cursors(FOLLOWER).load(log).await? {
                    Some(position) => Ok(position),
                    None => self.logs.extent(log).await.map(|(first, _)| first),
                }
            };
            match saved.await {
                Ok(position) => return position,
                Err(error) => {
                    tracing::debug!(%log, %error, "how far rooms were told cannot be read just now");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Follows until entries are gone; answers where to go on.
    async fn follow(&self, log: LogId, from: LogSeq) -> LogSeq {
        let mut follower = self.logs.follow(log, from);
        let mut saved = from;
        loop {
            match follower.next().await {
                Ok(batch) => {
                    let told = self.tell_all(log, &batch.entries).await;
                    if told || batch.next.0 - saved.0 >= UNSAVED {
                        saved = self.save(log, batch.next, saved).await;
                    }
                }
                Err(FollowError::Gone { first }) => {
                    tracing::warn!(%log, position = %follower.position(), %first, "entries were dropped before rooms were told of them");
                    return first;
                }
                Err(FollowError::Store(error)) => {
                    tracing::debug!(%log, %error, "the log cannot be read just now");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Tells the rooms of everybody whose devices changed; whether there was somebody. Goes on until it succeeds.
    async fn tell_all(&self, log: LogId, entries: &[Entry]) -> bool {
        let users: BTreeSet<OwnedUserId> = entries.iter().filter_map(changed_user).collect();
        for user_id in &users {
            while let Err(error) = self.tell(user_id).await {
                tracing::warn!(%log, %user_id, %error, "rooms were not told of a change of devices; this is tried again");
                tokio::time::sleep(RETRY).await;
            }
        }
        !users.is_empty()
    }

    async fn tell(&self, user_id: &UserId) -> Result<(), ServiceError> {
        let rooms = self.rooms.joined_rooms(user_id).await?;
        if rooms.is_empty() { Ok(()) } else { self.tell.device_list(user_id, rooms).await }
    }

    /// Where the cursor is afterwards.
    async fn save(&self, log: LogId, next: LogSeq, saved: LogSeq) -> LogSeq {
        match self.logs.cursors(FOLLOWER).save(log, next).await {
            Ok(()) => next,
            Err(error) => {
                tracing::debug!(%log, %error, "how far rooms were told was not saved; they may be told again");
                saved
            }
        }
    }
}

/// Whose devices others must look at again after an entry.
fn changed_user(entry: &Entry) -> Option<OwnedUserId> {
    let entry = UserEntry::decode(entry.body.clone()).ok()?;
    match entry.kind? {
        Kind::DeviceList(changed) if !changed.only_self => OwnedUserId::try_from(entry.user_id).ok(),
        _ => None,
    }
}
