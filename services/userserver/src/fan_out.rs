//! What happens to users and concerns the rooms they are in: the owner of a user shard follows its own log and tells the owners of the
//! rooms. How far it came is a cursor, so that another owner goes on from there; what is told twice is harmless. Each kind of news has a
//! follower of its own, so that none waits for another.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use banyan_core::{ErrorCode, LogId, LogSeq, ServiceError};
use banyan_log::{Entry, FollowError, Logs};
use banyan_proto::users::{UserEntry, user_entry::Kind};
use banyan_rooms::reader::RoomReader;
use futures::{StreamExt as _, stream};
use prost::Message as _;
use ruma::{OwnedUserId, RoomId, UserId};

use crate::calls::TellRooms;

/// How long to wait before what failed is tried again.
const RETRY: Duration = Duration::from_millis(250);
/// Entries without effect after which the cursor is saved all the same: what is read again after a hand-over is no more.
const UNSAVED: u64 = 1_024;
/// Rooms that are told of a profile side by side.
const AT_ONCE: usize = 8;
/// The fields of a profile that member events repeat.
const IN_MEMBER_EVENTS: [&str; 2] = ["displayname", "avatar_url"];

/// What rooms are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Others must look at the user's devices again.
    Devices,
    /// The user has another name or avatar.
    Profile,
}

impl News {
    pub(crate) const ALL: [Self; 2] = [Self::Devices, Self::Profile];

    /// The name of the follower.
    const fn follower(self) -> &'static str {
        match self {
            Self::Devices => "device_lists",
            Self::Profile => "profiles",
        }
    }

    /// Whose rooms are to be told of an entry.
    fn user_of(self, entry: &Entry) -> Option<OwnedUserId> {
        let entry = UserEntry::decode(entry.body.clone()).ok()?;
        let is_news = match entry.kind? {
            Kind::DeviceList(changed) => self == Self::Devices && !changed.only_self,
            Kind::Profile(changed) => self == Self::Profile && IN_MEMBER_EVENTS.contains(&changed.field.as_str()),
            _ => false,
        };
        is_news.then(|| OwnedUserId::try_from(entry.user_id).ok())?
    }
}

/// What telling takes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct FanOut {
    pub(crate) logs: Logs,
    pub(crate) rooms: RoomReader,
    pub(crate) tell: Arc<dyn TellRooms>,
}

impl FanOut {
    /// Follows the log for as long as it is polled.
    pub(crate) async fn run(self, log: LogId, news: News) {
        let mut at = self.start(log, news).await;
        loop {
            at = self.follow(log, news, at).await;
        }
    }

    async fn start(&self, log: LogId, news: News) -> LogSeq {
        loop {
            let saved = async {
                match self.logs.cursors(news.follower()).load(log).await? {
                    Some(position) => Ok(position),
                    None => self.logs.extent(log).await.map(|(first, _)| first),
                }
            };
            match saved.await {
                Ok(position) => return position,
                Err(error) => {
                    tracing::debug!(%log, ?news, %error, "how far rooms were told cannot be read just now");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Follows until entries are gone; answers where to go on.
    async fn follow(&self, log: LogId, news: News, from: LogSeq) -> LogSeq {
        let mut follower = self.logs.follow(log, from);
        let mut saved = from;
        loop {
            match follower.next().await {
                Ok(batch) => {
                    let told = self.tell_all(log, news, &batch.entries).await;
                    if told || batch.next.0 - saved.0 >= UNSAVED {
                        saved = self.save(log, news, batch.next, saved).await;
                    }
                }
                Err(FollowError::Gone { first }) => {
                    let position = follower.position();
                    tracing::warn!(%log, ?news, %position, %first, "entries were dropped before rooms were told of them");
                    return first;
                }
                Err(FollowError::Store(error)) => {
                    tracing::debug!(%log, ?news, %error, "the log cannot be read just now");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Tells the rooms of everybody whom there is news of; whether there was somebody. Goes on until it succeeds.
    async fn tell_all(&self, log: LogId, news: News, entries: &[Entry]) -> bool {
        let users: BTreeSet<OwnedUserId> = entries.iter().filter_map(|entry| news.user_of(entry)).collect();
        for user_id in &users {
            while let Err(error) = self.tell(user_id, news).await {
                tracing::warn!(%log, ?news, %user_id, %error, "rooms were not told; this is tried again");
                tokio::time::sleep(RETRY).await;
            }
        }
        !users.is_empty()
    }

    async fn tell(&self, user_id: &UserId, news: News) -> Result<(), ServiceError> {
        let rooms = self.rooms.joined_rooms(user_id).await?;
        if rooms.is_empty() {
            return Ok(());
        }
        match news {
            News::Devices => self.tell.device_list(user_id, rooms).await?,
            News::Profile => {
                stream::iter(&rooms).for_each_concurrent(AT_ONCE, |room_id| self.tell_profile(user_id, room_id)).await;
            }
        }
        Ok(())
    }

    /// Goes on until the room knows it, or refuses: then it keeps what it knows.
    async fn tell_profile(&self, user_id: &UserId, room_id: &RoomId) {
        while let Err(error) = self.tell.profile(user_id, room_id).await {
            if !passes(error.code) {
                tracing::info!(%user_id, %room_id, %error, "a changed profile does not reach a room");
                return;
            }
            tracing::debug!(%user_id, %room_id, %error, "a room was not told of a profile; this is tried again");
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Where the cursor is afterwards.
    async fn save(&self, log: LogId, news: News, next: LogSeq, saved: LogSeq) -> LogSeq {
        match self.logs.cursors(news.follower()).save(log, next).await {
            Ok(()) => next,
            Err(error) => {
                tracing::debug!(%log, ?news, %error, "how far rooms were told was not saved; they may be told again");
                saved
            }
        }
    }
}

/// Whether the same may succeed a little later.
const fn passes(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::Overloaded | ErrorCode::NotOwner | ErrorCode::Unknown | ErrorCode::Unavailable)
}
