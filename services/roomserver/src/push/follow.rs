//! Follows the log of an owned shard and adds to it what its events notify of.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use banyan_core::{LogSeq, ServiceError, TimestampMicros};
use banyan_log::{Entry, FollowError, Proposal};
use banyan_proto::rooms::{CurrentChange, Judged, Notified, Placed, RoomEntry, Unread, room_entry::Kind};
use banyan_rooms::tables::unread_total::EVERYBODY;
use prost::Message as _;
use ruma::{OwnedRoomId, OwnedUserId, RoomId};

use super::{
    FOLLOWER, Push,
    judge::Judge,
    log_of,
    rules::Outcome,
    tally::{Event, Tally},
};
use crate::actor::{Shard, lane};

/// How long to wait before what failed is tried again.
const RETRY: Duration = Duration::from_millis(100);
/// Entries after which the cursor is saved: what is looked at again after a hand-over is no more.
const UNSAVED: u64 = 256;
/// Bytes of one entry, and of what is proposed at once.
const ENTRY_BYTES: usize = 64 * 1024;
const FLUSH_BYTES: usize = 512 * 1024;
/// Users whose totals are read and changed at once.
const USERS_AT_ONCE: usize = 1_000;
/// For fair queueing this is a tenant like others.
const TENANT: &str = "push";

/// Follows for as long as it is polled and the shard is here.
pub(super) async fn run(push: Push, shard: Arc<Shard>) {
    let Some(mut at) = start(&push, &shard).await else { return };
    let judge = Judge::new(push.audiences.clone());
    let tally = Tally::new(push.audiences.reader.clone());
    let mut follow = Follow { shard: shard.clone(), judge, tally, rooms: BTreeMap::new(), bytes: 0 };
    while let Some(next) = follow.run(&push, at).await {
        at = next;
    }
}

/// Where to begin, once the rows show all that was ever committed; `None`: the shard is not here any more.
async fn start(push: &Push, shard: &Shard) -> Option<LogSeq> {
    let log = log_of(shard).id();
    while shard.check().is_ok() {
        let at = async {
            shard.replayed().await?;
            let saved = push.logs.cursors(FOLLOWER).load(log).await.map_err(unavailable)?;
            match saved {
                Some(at) => Ok(at),
                None => push.logs.extent(log).await.map(|(first, _)| first).map_err(unavailable),
            }
        };
        match at.await {
            Ok(at) => return Some(at),
            Err(error) => tracing::debug!(%log, %error, "how far push rules were checked cannot be read just now"),
        }
        shard.pause(RETRY).await;
    }
    None
}

fn unavailable(error: impl std::fmt::Display) -> ServiceError {
    ServiceError::unavailable(error.to_string())
}

/// What is to be said of a room.
#[derive(Default)]
struct Work {
    upto: u64,
    unread: Vec<Unread>,
}

/// The follower of one shard.
struct Follow {
    shard: Arc<Shard>,
    judge: Judge,
    tally: Tally,
    rooms: BTreeMap<OwnedRoomId, Work>,
    bytes: usize,
}

impl Follow {
    /// Follows until entries are gone; answers where to go on, unless the shard is not here any more.
    async fn run(&mut self, push: &Push, from: LogSeq) -> Option<LogSeq> {
        let log = log_of(&self.shard).id();
        let (mut follower, mut saved) = (push.logs.follow(log, from), from);
        self.save(push, from, from).await;
        loop {
            match follower.next().await {
                Ok(batch) => {
                    self.take_all(&batch.entries).await?;
                    if batch.next.0 - saved.0 >= UNSAVED {
                        saved = self.save(push, batch.next, saved).await;
                    }
                }
                Err(FollowError::Gone { first }) => {
                    tracing::warn!(%log, position = %follower.position(), %first, "entries were dropped before push rules were checked");
                    return Some(first);
                }
                Err(FollowError::Store(error)) => {
                    tracing::debug!(%log, %error, "the log cannot be read just now");
                    self.shard.pause(RETRY).await;
                }
            }
        }
    }

    /// Where the cursor is afterwards.
    async fn save(&self, push: &Push, next: LogSeq, saved: LogSeq) -> LogSeq {
        let log = log_of(&self.shard).id();
        match push.logs.cursors(FOLLOWER).save(log, next).await {
            Ok(()) => next,
            Err(error) => {
                tracing::debug!(%log, %error, "how far push rules were checked was not saved; they may be checked again");
                saved
            }
        }
    }

    /// Goes on until it succeeds; `None`: the shard is not here any more.
    async fn take_all(&mut self, entries: &[Entry]) -> Option<()> {
        loop {
            match self.take(entries).await {
                Ok(()) => return Some(()),
                Err(error) => {
                    self.tally.forget();
                    self.rooms.clear();
                    self.bytes = 0;
                    self.shard.check().ok()?;
                    tracing::warn!(log = %log_of(&self.shard).id(), %error, "push rules were not checked; this is tried again");
                    self.shard.pause(RETRY).await;
                }
            }
        }
    }

    /// What was done of it already is not done again.
    async fn take(&mut self, entries: &[Entry]) -> Result<(), ServiceError> {
        for entry in entries {
            let Ok(body) = RoomEntry::decode(entry.body.clone()) else { continue };
            let Ok(room_id) = OwnedRoomId::try_from(body.room_id.as_str()) else { continue };
            self.entry(&room_id, (entry.seq, entry.timestamp), body).await?;
        }
        self.flush().await
    }

    async fn entry(&mut self, room_id: &RoomId, (seq, at): (LogSeq, TimestampMicros), body: RoomEntry) -> Result<(), ServiceError> {
        let Some(head) = body.head else { return Ok(()) };
        let placed = match body.kind {
            Some(Kind::Placed(placed) | Kind::Judged(Judged { placed: Some(placed), .. })) => Some(placed),
            Some(Kind::Imported(_)) => {
                self.judge.audiences.forget_room(room_id);
                self.judge.forget_powers(room_id);
                None
            }
            _ => None,
        };
        let placed = placed.filter(|placed| placed.sub == 0);
        let arrival = placed.as_ref().map_or(head.next_arrival - 1, |placed| placed.arrival);
        self.tally.load(room_id, &[(EVERYBODY, "")]).await?;
        let looked_at = self.tally.get(room_id, (EVERYBODY, ""));
        if looked_at.events > 0 && placed.is_some() && looked_at.last >= arrival {
            return Ok(());
        }
        self.state(room_id, arrival, &body.current).await?;
        let Some(placed) = placed else { return Ok(()) };
        if !placed.soft_failed {
            self.event(room_id, head.joined, &placed, at).await?;
        }
        let looked_at = self.tally.change(room_id, (EVERYBODY, ""), |total| (total.events, total.last) = (1, arrival));
        self.push(room_id, looked_at);
        self.rooms.entry(room_id.to_owned()).or_default().upto = seq.0 + 1;
        Ok(())
    }

    /// Who came and went.
    async fn state(&mut self, room_id: &RoomId, arrival: i64, changes: &[CurrentChange]) -> Result<(), ServiceError> {
        for change in changes {
            if change.r#type == "m.room.power_levels" {
                self.judge.forget_powers(room_id);
            }
            let user_id = OwnedUserId::try_from(change.state_key.as_str()).ok();
            let local = user_id.filter(|user_id| change.r#type == "m.room.member" && self.judge.audiences.is_local(user_id));
            let Some(user_id) = local else { continue };
            if change.membership != "join" || change.event_id.is_empty() {
                self.judge.audiences.left(room_id, &user_id);
            } else if change.previous_membership != "join" {
                self.judge.audiences.joined(room_id, &user_id).await?;
                self.read_upto(room_id, (user_id.as_str(), ""), arrival).await?;
            }
        }
        Ok(())
    }

    /// A user has read up to an arrival by what they did.
    async fn read_upto(&mut self, room_id: &RoomId, of: (&str, &str), arrival: i64) -> Result<(), ServiceError> {
        self.tally.load(room_id, &[of]).await?;
        if self.tally.get(room_id, of).own.is_none_or(|own| own < arrival) {
            let unread = self.tally.change(room_id, of, |total| total.own = Some(arrival));
            self.push(room_id, unread);
        }
        Ok(())
    }

    async fn event(&mut self, room_id: &RoomId, joined: u64, placed: &Placed, at: TimestampMicros) -> Result<(), ServiceError> {
        let Some(arrived) = self.judge.read(room_id, placed).await? else { return Ok(()) };
        let (everybody, others) = self.judge.judge(room_id, joined, &arrived).await?;
        let (thread, event) = (arrived.thread.as_str(), Event { event_id: &placed.event_id, arrival: placed.arrival, at });
        if self.judge.audiences.is_local(&arrived.sender) && !arrived.is_own_join() {
            self.read_upto(room_id, (arrived.sender.as_str(), thread), placed.arrival).await?;
        }
        for some in others.chunks(USERS_AT_ONCE) {
            let of: Vec<(&str, &str)> = some.iter().map(|(user_id, _)| (user_id.as_str(), thread)).collect();
            self.tally.load(room_id, &of).await?;
            for (of, (_, outcome)) in of.iter().zip(some) {
                let added = self.tally.add(room_id, *of, event, (outcome, &everybody));
                added.into_iter().for_each(|unread| self.push(room_id, unread));
            }
            if self.bytes >= FLUSH_BYTES {
                self.flush().await?;
            }
        }
        if everybody.notify {
            let of = (EVERYBODY, thread);
            self.tally.load(room_id, &[of]).await?;
            let added = self.tally.add(room_id, of, event, (&everybody, &Outcome::default()));
            added.into_iter().for_each(|unread| self.push(room_id, unread));
        }
        Ok(())
    }

    fn push(&mut self, room_id: &RoomId, unread: Unread) {
        self.bytes += unread.encoded_len() + 8;
        self.rooms.entry(room_id.to_owned()).or_default().unread.push(unread);
    }

    /// Adds to the log what is to be said; returns when that is committed and applied.
    async fn flush(&mut self) -> Result<(), ServiceError> {
        self.bytes = 0;
        let mut pending = Vec::with_capacity(self.rooms.len());
        for (room_id, work) in std::mem::take(&mut self.rooms) {
            pending.push(log_of(&self.shard).propose(proposals(&room_id, work))?);
        }
        for pending in pending {
            let committed = pending.await;
            if committed.is_err() {
                self.shard.fail();
            }
            committed.map_err(ServiceError::from)?;
        }
        self.tally.commit();
        Ok(())
    }
}

/// Entries of a room; the last says up to where the room was looked at.
fn proposals(room_id: &RoomId, work: Work) -> Vec<Proposal> {
    let proposal = |notified: Notified| {
        let body = RoomEntry { room_id: room_id.to_string(), kind: Some(Kind::Notified(notified)), ..RoomEntry::default() };
        let body = body.encode_to_vec().into();
        Proposal { tenant: TENANT.into(), lane: lane(room_id.as_str()), body, ..Proposal::default() }
    };
    let mut group = Vec::new();
    let (mut unread, mut bytes) = (Vec::new(), 0);
    for one in work.unread {
        let size = one.encoded_len() + 8;
        if bytes + size > ENTRY_BYTES {
            group.push(proposal(Notified { upto: 0, unread: std::mem::take(&mut unread) }));
            bytes = 0;
        }
        bytes += size;
        unread.push(one);
    }
    group.push(proposal(Notified { upto: work.upto, unread }));
    group
}
