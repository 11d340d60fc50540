//! Receipts on their way into the log. Those of a room that come within a moment of each other are one entry, and of those that
//! replace each other only the one furthest on is written: who scrolls sends many.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use banyan_core::{RequestId, ServiceError};
use banyan_log::Proposal;
use banyan_proto::rooms::{Receipt, ReceiptRow, Receipts, RoomEntry, room_entry::Kind};
use banyan_rooms::{RoomPlace, tables::receipt::PUBLIC};
use parking_lot::Mutex;
use prost::Message;
use ruma::{OwnedRoomId, RoomId};
use tokio::sync::{OnceCell, oneshot};
use tracing::Instrument as _;

use super::{commit::lane, receipt_slots::Slots, shard::Shard};

/// How long after an entry with receipts of a room the next one is made.
const MOMENT: Duration = Duration::from_millis(250);
/// Receipts of one shard that wait at most.
const MAX_WAITING: usize = 8_192;
/// Receipts in one entry: of the longest ids they stay below the largest entry.
const PER_ENTRY: usize = 64;
/// Receipts that are written together at most: what is a group of entries.
const PER_GROUP: usize = 512;

/// Of receipts with the same key one replaces the other: user, type, thread.
type Key = (String, String, String);

/// The receipts of a shard that wait.
#[derive(Default)]
pub(crate) struct WaitingReceipts {
    /// A room with nothing in it is one whose last entry was made a moment ago.
    rooms: Mutex<HashMap<OwnedRoomId, Queue>>,
    /// Set once the rows show everything that was ever committed.
    replayed: OnceCell<()>,
}

#[derive(Default)]
struct Queue {
    receipts: BTreeMap<Key, Receipt>,
    answers: Vec<oneshot::Sender<Result<(), ServiceError>>>,
}

impl WaitingReceipts {
    /// Adds receipts. True: nobody writes those of the room yet.
    fn add(&self, room_id: &RoomId, receipts: Vec<Receipt>) -> Result<(Answer, bool), ServiceError> {
        let mut rooms = self.rooms.lock();
        let waiting: usize = rooms.values().map(|queue| queue.receipts.len()).sum();
        let own = rooms.get(room_id).map_or(0, |queue| queue.receipts.len());
        if waiting >= MAX_WAITING || own + receipts.len() > PER_GROUP {
            return Err(ServiceError::limit_exceeded("too many receipts at once", MOMENT));
        }
        let idle = !rooms.contains_key(room_id);
        let queue = rooms.entry(room_id.to_owned()).or_default();
        for receipt in receipts {
            let key = (receipt.user_id.clone(), receipt.receipt_type.clone(), receipt.thread_id.clone());
            if queue.receipts.get(&key).is_none_or(|other| place(other) < place(&receipt)) {
                queue.receipts.insert(key, receipt);
            }
        }
        let (answer, answered) = oneshot::channel();
        queue.answers.push(answer);
        Ok((answered, idle))
    }

    /// What waits in a room; nothing: nobody writes those of the room any more.
    fn take(&self, room_id: &RoomId) -> Option<Queue> {
        let mut rooms = self.rooms.lock();
        let queue = rooms.get_mut(room_id).map(std::mem::take).filter(|queue| !queue.answers.is_empty());
        if queue.is_none() {
            rooms.remove(room_id);
        }
        queue
    }
}

type Answer = oneshot::Receiver<Result<(), ServiceError>>;

impl Shard {
    /// Moves receipts of a room to where they say, unless they are further on; returns when that is committed and applied. To be called
    /// within [`Shard::run`].
    pub(crate) async fn write_receipts(
        self: &Arc<Self>,
        room_id: &RoomId,
        tenant: &Arc<str>,
        receipts: Vec<Receipt>,
    ) -> Result<(), ServiceError> {
        let (answer, idle) = self.receipts.add(room_id, receipts)?;
        if idle {
            let work = write_all(self.clone(), room_id.to_owned(), tenant.clone());
            self.tasks.spawn(work.in_current_span());
        }
        answer.await.unwrap_or_else(|_| Err(ServiceError::not_owner(None)))
    }

    /// Waits until the rows show everything that was ever committed.
    pub(crate) async fn replayed(&self) -> Result<(), ServiceError> {
        let wait = async {
            // A request that was never made is looked for only when all rows are there.
            let nobody = RequestId::generate(&*self.shared.clock, &*self.shared.entropy);
            self.log.find_request(nobody).await.map(drop).map_err(ServiceError::from)
        };
        self.receipts.replayed.get_or_try_init(|| wait).await.copied()
    }
}

/// Writes the receipts of a room until none came for a moment.
async fn write_all(shard: Arc<Shard>, room_id: OwnedRoomId, tenant: Arc<str>) {
    while let Some(queue) = shard.receipts.take(&room_id) {
        let written = write(&shard, &room_id, &tenant, queue.receipts.into_values().collect()).await;
        for answer in queue.answers {
            // Who went away need not know.
            let _ = answer.send(written.clone());
        }
        shard.pause(MOMENT).await;
    }
}

async fn write(shard: &Arc<Shard>, room_id: &RoomId, tenant: &Arc<str>, receipts: Vec<Receipt>) -> Result<(), ServiceError> {
    shard.check()?;
    let reader = &shard.shared.reader;
    let before = reader.predecessors(room_id, &receipts).await?;
    let moves = |(receipt, before): (Receipt, Option<ReceiptRow>)| {
        let before = before.and_then(|row| row.receipt);
        before.is_none_or(|before| place(&before) < place(&receipt)).then_some(receipt)
    };
    let mut receipts: Vec<Receipt> = receipts.into_iter().zip(before).filter_map(moves).collect();
    if receipts.is_empty() {
        return shard.confirm(()).await;
    }
    if receipts.iter().any(|receipt| receipt.receipt_type == PUBLIC) {
        let mut slots = Slots::new(reader.recent_receipts(room_id).await?);
        for receipt in receipts.iter_mut().filter(|receipt| receipt.receipt_type == PUBLIC) {
            receipt.slot = slots.take(&receipt.user_id, &receipt.thread_id);
        }
    }
    let lane = lane(room_id.as_str());
    let proposal = |receipts: &[Receipt]| {
        let kind = Some(Kind::Receipts(Receipts { receipts: receipts.to_vec() }));
        let body = RoomEntry { room_id: room_id.to_string(), kind, ..RoomEntry::default() }.encode_to_vec();
        Proposal { tenant: tenant.clone(), lane, body: body.into(), ..Proposal::default() }
    };
    let committed = shard.log.propose(receipts.chunks(PER_ENTRY).map(proposal).collect())?.await.map_err(ServiceError::from);
    if committed.is_err() {
        shard.fail();
    }
    committed.map(drop)
}

/// Where the event of a receipt stands.
fn place(receipt: &Receipt) -> RoomPlace {
    RoomPlace::new(receipt.arrival, receipt.sub)
}
