//! Receipts: what is refused, what moves, and how it is written.

use banyan_core::{LogSeq, ServiceError};
use banyan_proto::{
    rooms::{Receipt, RoomEntry, room_entry::Kind},
    roomserver::{NewReceipt, SetReceiptsRequest},
    status::from_status,
};
use prost::Message as _;
use ruma::{RoomId, UserId};
use serde_json::json;

use crate::world::{SHARDS, Send, World, errcode};

const ALICE: &str = "@alice:one.test";
const BOB: &str = "@bob:two.test";

pub(crate) fn receipt(kind: &str, thread_id: &str, event_id: &str) -> NewReceipt {
    NewReceipt { receipt_type: kind.to_owned(), thread_id: thread_id.to_owned(), event_id: event_id.to_owned() }
}

impl World {
    pub(crate) async fn set_receipts(&self, user: &str, room: &RoomId, receipts: Vec<NewReceipt>) -> Result<(), ServiceError> {
        let request = SetReceiptsRequest { caller: self.caller(user, "D", None), room_id: room.to_string(), receipts };
        self.client.clone().set_receipts(request).await.map(drop).map_err(|status| from_status(&status))
    }

    async fn read(&self, user: &str, room: &RoomId, event_id: &str) -> Result<(), ServiceError> {
        self.set_receipts(user, room, vec![receipt("m.read", "", event_id)]).await
    }

    async fn related(&self, user: &str, room: &RoomId, rel_type: &str, event_id: &str) -> String {
        let content = json!({"body": "x", "m.relates_to": {"rel_type": rel_type, "event_id": event_id, "key": "k"}});
        self.send_with(user, room, ("m.room.message", None), content, Send::default()).await.unwrap()
    }

    /// Type, thread and event of each receipt of a user.
    async fn receipts_of(&self, user: &str, room: &RoomId) -> Vec<(String, String, String)> {
        let rows = self.reader.receipts_of(&UserId::parse(user).unwrap(), room).await.unwrap();
        let key = |receipt: Receipt| (receipt.receipt_type, receipt.thread_id, receipt.event_id);
        rows.into_iter().filter_map(|row| row.receipt).map(key).collect()
    }

    /// The receipts of each entry of a room, in the order of its log, up to a message that is sent now.
    async fn receipt_entries(&self, room: &RoomId) -> Vec<Vec<Receipt>> {
        let last = self.message(ALICE, room, "the last").await.unwrap();
        let mut follower = self.logs().follow(banyan_core::LogId::rooms(SHARDS.shard_of(room.as_str())), LogSeq(0));
        let mut found = Vec::new();
        loop {
            for entry in follower.next().await.unwrap().entries {
                let entry = RoomEntry::decode(entry.body).unwrap();
                match entry.kind.filter(|_| entry.room_id == room.as_str()) {
                    Some(Kind::Receipts(receipts)) => found.push(receipts.receipts),
                    Some(Kind::Placed(placed)) if placed.event_id == last => return found,
                    _ => {}
                }
            }
        }
    }
}

async fn room(world: &World) -> ruma::OwnedRoomId {
    let room = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    world.join(BOB, &room).await;
    room
}

fn of(kind: &str, thread: &str, event: &str) -> (String, String, String) {
    (kind.to_owned(), thread.to_owned(), event.to_owned())
}

#[tokio::test]
async fn a_receipt_moves_forward_and_never_back() {
    let world = World::new().await;
    let room = room(&world).await;
    let (first, second) = (world.message(ALICE, &room, "1").await.unwrap(), world.message(ALICE, &room, "2").await.unwrap());
    world.read(BOB, &room, &first).await.unwrap();
    assert_eq!(world.receipts_of(BOB, &room).await, [of("m.read", "", &first)]);
    world.read(BOB, &room, &second).await.unwrap();
    for behind in [&first, &second] {
        world.read(BOB, &room, behind).await.unwrap();
    }
    assert_eq!(world.receipts_of(BOB, &room).await, [of("m.read", "", &second)]);
    assert_eq!(world.receipt_entries(&room).await.len(), 2, "what changes nothing is no entry");
    let recent = world.reader.recent_receipts(&room).await.unwrap();
    assert_eq!(recent.len(), 1);
    assert_eq!(recent[0].receipt.as_ref().unwrap().event_id, second);
}

#[tokio::test]
async fn types_and_threads_have_receipts_of_their_own() {
    let world = World::new().await;
    let room = room(&world).await;
    let root = world.message(ALICE, &room, "root").await.unwrap();
    let reply = world.related(ALICE, &room, "m.thread", &root).await;
    let wanted = vec![receipt("m.read.private", "", &reply), receipt("m.read", "main", &root), receipt("m.read", &root, &reply)];
    world.set_receipts(BOB, &room, wanted).await.unwrap();
    let expected = [of("m.read", &root, &reply), of("m.read", "main", &root), of("m.read.private", "", &reply)];
    assert_eq!(world.receipts_of(BOB, &room).await, expected);
    let recent = world.reader.recent_receipts(&room).await.unwrap();
    assert!(recent.iter().all(|row| row.receipt.as_ref().unwrap().receipt_type == "m.read"), "{recent:?}");
    assert_eq!(recent.len(), 2);
}

#[tokio::test]
async fn an_event_is_in_its_thread_or_in_the_main_timeline() {
    let world = World::new().await;
    let room = room(&world).await;
    let root = world.message(ALICE, &room, "root").await.unwrap();
    let reply = world.related(ALICE, &room, "m.thread", &root).await;
    let reaction = world.related(ALICE, &room, "m.annotation", &reply).await;
    let other = world.message(ALICE, &room, "other").await.unwrap();
    let set = async |thread: &str, event: &str| world.set_receipts(BOB, &room, vec![receipt("m.read", thread, event)]).await;
    for (thread, event) in [("main", &root), (&*root, &root), (&*root, &reply), (&*root, &reaction), ("main", &other)] {
        set(thread, event).await.unwrap();
    }
    for (thread, event) in [("main", &reply), ("main", &reaction), (&*root, &other), (&*other, &reply), ("nonsense", &reply)] {
        assert_eq!(errcode(set(thread, event).await), "M_INVALID_PARAM", "{thread}");
    }
}

#[tokio::test]
async fn only_members_read_and_only_what_is_there() {
    let world = World::new().await;
    let room = room(&world).await;
    let event = world.message(ALICE, &room, "1").await.unwrap();
    assert_eq!(errcode(world.read("@carol:one.test", &room, &event).await), "M_FORBIDDEN");
    assert_eq!(errcode(world.read(BOB, &room, "$nothing").await), "M_NOT_FOUND");
    assert_eq!(errcode(world.read(BOB, &room, "nonsense").await), "M_INVALID_PARAM");
    let fully = vec![receipt("m.fully_read", "", &event)];
    assert_eq!(errcode(world.set_receipts(BOB, &room, fully).await), "M_INVALID_PARAM");
    let many = vec![receipt("m.read", "", &event); 17];
    assert_eq!(errcode(world.set_receipts(BOB, &room, many).await), "M_INVALID_PARAM");
    world.leave(BOB, &room).await;
    assert_eq!(errcode(world.read(BOB, &room, &event).await), "M_FORBIDDEN");
    assert!(world.receipt_entries(&room).await.is_empty());
}

#[tokio::test]
async fn who_scrolls_makes_few_entries_and_all_are_answered() {
    let world = World::new().await;
    let room = room(&world).await;
    let mut events = Vec::new();
    for n in 0..40 {
        events.push(world.message(ALICE, &room, &n.to_string()).await.unwrap());
    }
    let reads = events.iter().flat_map(|event| [world.read(BOB, &room, event), world.read(ALICE, &room, event)]);
    for answer in futures::future::join_all(reads).await {
        answer.unwrap();
    }
    let last = events.last().unwrap();
    for user in [ALICE, BOB] {
        assert_eq!(world.receipts_of(user, &room).await, [of("m.read", "", last)]);
    }
    let entries = world.receipt_entries(&room).await;
    assert!(entries.len() < 10, "{} entries", entries.len());
    assert!(entries.iter().all(|entry| entry.len() <= 2));
}

#[tokio::test]
async fn another_owner_knows_them_all() {
    let mut world = World::new().await;
    let room = room(&world).await;
    let (first, second) = (world.message(ALICE, &room, "1").await.unwrap(), world.message(ALICE, &room, "2").await.unwrap());
    world.read(BOB, &room, &second).await.unwrap();
    world.restart().await;
    world.read(BOB, &room, &first).await.unwrap();
    world.read(ALICE, &room, &first).await.unwrap();
    assert_eq!(world.receipts_of(BOB, &room).await, [of("m.read", "", &second)]);
    let mut slots: Vec<u32> =
        world.reader.recent_receipts(&room).await.unwrap().into_iter().map(|row| row.receipt.unwrap().slot).collect();
    slots.sort_unstable();
    assert_eq!(slots, [0, 1]);
}
