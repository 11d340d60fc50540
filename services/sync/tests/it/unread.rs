//! What is unread, as syncs tell it.

use std::time::Duration;

use banyan_proto::rooms::{Notified, NotifyingEvent, RoomEntry, Unread, UnreadTotal, room_entry::Kind};
use banyan_runtime::config::HumanDuration;
use banyan_sync::app::sync::Request;
use serde_json::{Value, json};

use crate::{
    sliding::{ask, list, pos},
    world::{Worker, World, ids, request, since, sync, timeline, token},
};

const ALICE: &str = "@alice:x";
const BOB: &str = "@bob:x";
const ROOM: &str = "!r:x";
const ROOT: &str = "$root";

/// An event was added to a total: whose, which thread, its arrival, and the sums with it.
type Added<'a> = (&'a str, &'a str, i64, (i64, i64));

impl World {
    /// Notes what was counted up to now, as the roomserver would.
    async fn count(&mut self, added: &[Added<'_>]) {
        self.count_upto(self.rooms[ROOM].head.seq + 1, added).await;
    }

    /// Notes that push rules were checked on all events of a room but those of so many last entries, and that nobody was notified.
    pub(crate) async fn judged(&mut self, room: &str, but: u64) {
        let upto = (self.rooms[room].head.seq + 1).saturating_sub(but);
        let kind = Some(Kind::Notified(Notified { upto, unread: Vec::new() }));
        self.append_room(RoomEntry { room_id: room.to_owned(), kind, ..RoomEntry::default() }).await;
    }

    /// The same, when push rules were checked on the events below `upto`.
    async fn count_upto(&mut self, upto: u64, added: &[Added<'_>]) {
        let unread = |(user, thread, arrival, (notify, highlight)): &Added<'_>| Unread {
            user_id: (*user).to_owned(),
            thread_id: (*thread).to_owned(),
            total: Some(UnreadTotal {
                events: 1,
                first: *arrival,
                last: *arrival,
                notify: *notify,
                highlight: *highlight,
                ..UnreadTotal::default()
            }),
            event: Some(NotifyingEvent::default()),
        };
        let kind = Some(Kind::Notified(Notified { upto, unread: added.iter().map(unread).collect() }));
        self.append_room(RoomEntry { room_id: ROOM.to_owned(), kind, ..RoomEntry::default() }).await;
    }
}

async fn world() -> World {
    let mut world = World::new();
    world.create(ROOM, ALICE).await;
    world.join(ROOM, BOB).await;
    world
}

fn counts(body: &Value) -> (Option<u64>, Option<u64>) {
    let counts = &body["rooms"]["join"][ROOM]["unread_notifications"];
    (counts["notification_count"].as_u64(), counts["highlight_count"].as_u64())
}

fn by_thread(request: Request) -> Request {
    let filter = json!({"room": {"timeline": {"unread_thread_notifications": true}}});
    Request { filter: filter.to_string().into(), ..request }
}

fn late(world: &World) -> Worker {
    let mut late = world.worker();
    late.begin_at_end(world);
    late
}

#[tokio::test]
async fn counts_are_told_when_they_move_and_whenever_the_room_is() {
    let mut world = world().await;
    let mut worker = world.worker();
    let first = worker.sync(&world, request(BOB)).await;
    assert_eq!(counts(&first), (Some(0), Some(0)));
    let arrival = world.rooms[ROOM].head.next_arrival;
    world.say(ROOM, ALICE, "hello").await;
    world.count(&[("", "main", arrival, (1, 0)), (BOB, "main", arrival, (0, 1))]).await;
    let second = worker.sync(&world, since(BOB, token(&first))).await;
    assert_eq!(counts(&second), (Some(1), Some(1)));
    let quiet = worker.sync(&world, since(BOB, token(&second))).await;
    assert_eq!(quiet["rooms"]["join"], json!({}));
    assert_eq!(late(&world).sync(&world, since(BOB, token(&second))).await["rooms"]["join"], json!({}));
    // Of one's own alone; also where the tail does not reach back.
    world.count(&[(BOB, ROOT, arrival, (2, 0))]).await;
    for worker in [&mut worker, &mut late(&world)] {
        let body = worker.sync(&world, since(BOB, token(&second))).await;
        assert_eq!(counts(&body), (Some(3), Some(1)), "all threads together");
        assert!(body["rooms"]["join"][ROOM].get("unread_thread_notifications").is_none());
        let body = worker.sync(&world, by_thread(since(BOB, token(&second)))).await;
        assert_eq!(counts(&body), (Some(1), Some(1)));
        let threads = &body["rooms"]["join"][ROOM]["unread_thread_notifications"];
        assert_eq!(threads, &json!({ROOT: {"notification_count": 2, "highlight_count": 0}}));
    }
    // Others are told nothing of it.
    let alice = worker.sync(&world, request(ALICE)).await;
    world.count(&[(BOB, ROOT, arrival, (3, 0))]).await;
    assert_eq!(worker.sync(&world, since(ALICE, token(&alice))).await["rooms"]["join"], json!({}));
    // Account data alone brings them along: a client takes what is not said for nothing.
    let body = worker.sync(&world, since(BOB, token(&second))).await;
    world.account_data(BOB, ROOM, "m.tag", &json!({"tags": {}})).await;
    let tagged = worker.sync(&world, by_thread(since(BOB, token(&body)))).await;
    assert_eq!(counts(&tagged), (Some(1), Some(1)));
}

#[tokio::test]
async fn a_receipt_moves_counts_even_if_receipts_are_not_asked_for() {
    let mut world = world().await;
    let mut worker = world.worker();
    world.count(&[("", "main", 0, (1, 0))]).await;
    let first = worker.sync(&world, request(BOB)).await;
    assert_eq!(counts(&first), (Some(1), Some(0)));
    world.read(BOB, 0, &[("m.read", "", "$e")]).await;
    let filter = json!({"room": {"ephemeral": {"not_types": ["m.receipt"]}}}).to_string();
    let body = worker.sync(&world, Request { filter: filter.into(), ..since(BOB, token(&first)) }).await;
    assert_eq!(counts(&body), (Some(0), Some(0)));
}

#[tokio::test(start_paused = true)]
async fn an_event_waits_for_its_count_but_not_for_ever() {
    let mut world = world().await;
    world.config.unread_wait = HumanDuration::secs(1);
    let mut worker = world.worker();
    world.count(&[]).await;
    let first = worker.sync(&world, request(BOB)).await;
    let arrival = world.rooms[ROOM].head.next_arrival;
    let event = world.say(ROOM, ALICE, "hello").await;
    worker.catch_up(&world);
    let syncs = worker.syncs.clone();
    let waits = sync(&syncs, since(BOB, token(&first)));
    world.count(&[("", "main", arrival, (1, 0))]).await;
    let counted = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        worker.catch_up(&world);
    };
    let (body, ()) = tokio::join!(waits, counted);
    let body = body.unwrap();
    assert_eq!((counts(&body), timeline(&body, "join", ROOM)), ((Some(1), Some(0)), vec![event.as_str()]));
    // Nobody checks the next one: it is told all the same, and its count when it comes.
    let second = world.say(ROOM, ALICE, "again").await;
    worker.catch_up(&world);
    let body = sync(&syncs, since(BOB, token(&body))).await.unwrap();
    assert_eq!((counts(&body), timeline(&body, "join", ROOM)), ((Some(1), Some(0)), vec![second.as_str()]));
    world.count(&[("", "main", arrival + 1, (2, 0))]).await;
    let body = worker.sync(&world, since(BOB, token(&body))).await;
    assert_eq!(counts(&body), (Some(2), Some(0)));
}

#[tokio::test(start_paused = true)]
async fn what_comes_while_counts_are_awaited_is_left_to_the_next_response() {
    let mut world = world().await;
    world.config.unread_wait = HumanDuration::secs(1);
    let mut worker = world.worker();
    world.count_upto(world.rooms[ROOM].head.seq + 1, &[]).await;
    let mut told = worker.sync(&world, request(BOB)).await;
    let syncs = worker.syncs.clone();
    let mut event = world.say(ROOM, ALICE, "0").await;
    for index in 1..5_i64 {
        worker.catch_up(&world);
        let waits = sync(&syncs, Request { timeout: Duration::from_secs(60), ..since(BOB, token(&told)) });
        let arrival = world.rooms[ROOM].head.next_arrival - 1;
        let upto = world.rooms[ROOM].head.seq + 1;
        // Before push rules are checked on it, another comes.
        let next = world.say(ROOM, ALICE, &index.to_string()).await;
        world.count_upto(upto, &[("", "main", arrival, (index, 0))]).await;
        let moves = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            worker.catch_up(&world);
        };
        let (body, ()) = tokio::join!(waits, moves);
        told = body.unwrap();
        let count = u64::try_from(index).unwrap();
        assert_eq!((timeline(&told, "join", ROOM), counts(&told)), (vec![event.as_str()], (Some(count), Some(0))));
        assert_eq!(told["rooms"]["join"][ROOM]["timeline"]["limited"], false);
        event = next;
    }
    // Nobody waits for the last one longer than that.
    let last = sync(&syncs, since(BOB, token(&told))).await.unwrap();
    assert_eq!(timeline(&last, "join", ROOM), [event.as_str()]);
}

#[tokio::test(start_paused = true)]
async fn sliding_sync_leaves_it_to_the_next_response_too() {
    let mut world = world().await;
    world.config.unread_wait = HumanDuration::secs(1);
    let mut worker = world.worker();
    world.count_upto(world.rooms[ROOM].head.seq + 1, &[]).await;
    let wish = list([0, 9], 10, &[]);
    let mut told = worker.slide(&world, ask(BOB, None, &wish)).await;
    let mut event = world.say(ROOM, ALICE, "0").await;
    for index in 1..5_i64 {
        worker.catch_up(&world);
        let sliding = worker.syncs.sliding();
        let request = banyan_sync::sliding::Request { timeout: Duration::from_secs(60), ..ask(BOB, Some(pos(&told)), &wish) };
        let waits = crate::world::collect(async |sink| sliding.sync(request, sink).await);
        let (arrival, upto) = (world.rooms[ROOM].head.next_arrival - 1, world.rooms[ROOM].head.seq + 1);
        let next = world.say(ROOM, ALICE, &index.to_string()).await;
        world.count_upto(upto, &[("", "main", arrival, (index, 0))]).await;
        let moves = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            worker.catch_up(&world);
        };
        let (body, ()) = tokio::join!(waits, moves);
        told = body.unwrap();
        let room = &told["rooms"][ROOM];
        assert_eq!((ids(&room["timeline"]), &room["notification_count"]), (vec![event.as_str()], &json!(index)), "{told}");
        event = next;
    }
}

#[tokio::test(start_paused = true)]
async fn who_leaves_while_counts_are_awaited_is_told_so() {
    let mut world = world().await;
    world.config.unread_wait = HumanDuration::secs(1);
    let mut worker = world.worker();
    world.count_upto(world.rooms[ROOM].head.seq + 1, &[]).await;
    let told = worker.sync(&world, request(BOB)).await;
    let event = world.say(ROOM, ALICE, "0").await;
    worker.catch_up(&world);
    let upto = world.rooms[ROOM].head.seq + 1;
    let syncs = worker.syncs.clone();
    let waits = sync(&syncs, Request { timeout: Duration::from_secs(60), ..since(BOB, token(&told)) });
    let late = world.say(ROOM, ALICE, "1").await;
    world.leave(ROOM, BOB).await;
    world.count_upto(upto, &[("", "main", 9, (1, 0))]).await;
    let moves = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        worker.catch_up(&world);
    };
    let (body, ()) = tokio::join!(waits, moves);
    let body = body.unwrap();
    let left = timeline(&body, "leave", ROOM);
    assert_eq!((left[0], left[1], left.len()), (event.as_str(), late.as_str(), 3), "{body}");
}

#[tokio::test]
async fn a_talk_has_no_holes_for_who_follows_it() {
    let mut world = world().await;
    let mut worker = world.worker();
    let told = worker.sync(&world, request(BOB)).await;
    for index in 0..50 {
        world.say(ROOM, ALICE, &index.to_string()).await;
    }
    let body = worker.sync(&world, since(BOB, token(&told))).await;
    let of = &body["rooms"]["join"][ROOM]["timeline"];
    assert_eq!((of["events"].as_array().unwrap().len(), &of["limited"]), (50, &json!(false)));
    let filter = json!({"room": {"timeline": {"limit": 10}}}).to_string();
    let body = worker.sync(&world, Request { filter: filter.into(), ..since(BOB, token(&told)) }).await;
    let of = &body["rooms"]["join"][ROOM]["timeline"];
    assert_eq!((of["events"].as_array().unwrap().len(), &of["limited"]), (10, &json!(true)));
}

#[tokio::test]
async fn sliding_sync_counts_all_threads_together() {
    let mut world = world().await;
    let mut worker = world.worker();
    let wish = list([0, 9], 1, &[]);
    let first = worker.slide(&world, ask(BOB, None, &wish)).await;
    assert_eq!(first["rooms"][ROOM]["notification_count"], 0);
    world.count(&[("", "main", 9, (1, 0)), ("", ROOT, 9, (2, 1))]).await;
    let body = worker.slide(&world, ask(BOB, Some(pos(&first)), &wish)).await;
    let room = &body["rooms"][ROOM];
    assert_eq!((&room["notification_count"], &room["highlight_count"]), (&json!(3), &json!(1)));
    let body = worker.slide(&world, ask(BOB, Some(pos(&body)), &wish)).await;
    assert_eq!(body["rooms"], json!({}));
}
