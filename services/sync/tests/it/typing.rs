//! Who types, in syncs.

use std::time::Duration;

use banyan_core::ShardId;
use banyan_proto::roomserver::{GetTypingResponse, TypingNews, TypingSet, TypingUser};
use banyan_sync::app::sync::Request;
use serde_json::{Value, json};

use crate::{
    rooms::member,
    world::{Worker, World, request, since, sync, token},
};

const ALICE: &str = "@alice:x";
const BOB: &str = "@bob:x";
const ROOM: &str = "!r:x";

async fn world() -> World {
    let mut world = World::new();
    world.create(ROOM, ALICE).await;
    world.join(ROOM, BOB).await;
    world
}

/// The owner of the room.
#[derive(Default)]
pub(crate) struct RoomOwner {
    epoch: u64,
    number: u64,
    users: Vec<TypingUser>,
}

impl RoomOwner {
    fn shard(world: &World) -> ShardId {
        world.shards.shard_of(ROOM)
    }

    fn set(&self) -> TypingSet {
        TypingSet { room_id: ROOM.to_owned(), users: self.users.clone() }
    }

    /// These type for ten seconds from now on.
    pub(crate) fn types(&mut self, world: &World, users: &[&str]) -> TypingNews {
        let until = world.now().as_millis() + 10_000;
        self.users = users.iter().map(|user| TypingUser { user_id: (*user).to_owned(), until }).collect();
        self.number += 1;
        TypingNews { epoch: self.epoch, number: self.number, set: Some(self.set()) }
    }

    /// Another one takes its place.
    fn dies(&mut self) -> TypingNews {
        *self = Self { epoch: self.epoch + 1, ..Self::default() };
        TypingNews { epoch: self.epoch, ..TypingNews::default() }
    }

    fn answer(&self) -> GetTypingResponse {
        let sets = if self.users.is_empty() { Vec::new() } else { vec![self.set()] };
        GetTypingResponse { epoch: self.epoch, number: self.number, sets }
    }

    /// Tells a worker, which has heard everything before.
    pub(crate) fn tell(&mut self, world: &World, worker: &Worker, users: &[&str]) {
        let news = self.types(world, users);
        assert!(!worker.tails.typing_news(Self::shard(world), news));
    }

    /// Answers a worker.
    pub(crate) fn answers(&self, world: &World, worker: &Worker) {
        assert!(!worker.tails.typing_answer(Self::shard(world), self.answer()));
    }
}

/// A worker that has asked the owner of the room.
pub(crate) fn asked(world: &World, owner: &RoomOwner) -> Worker {
    let worker = world.worker();
    owner.answers(world, &worker);
    worker
}

/// Who is said to type; `None`: nothing is said.
fn told(body: &Value) -> Option<Value> {
    let events = body["rooms"]["join"][ROOM]["ephemeral"]["events"].as_array()?;
    let typing: Vec<&Value> = events.iter().filter(|event| event["type"] == "m.typing").collect();
    assert!(typing.len() < 2, "{events:?}");
    typing.first().map(|event| event["content"]["user_ids"].clone())
}

#[tokio::test]
async fn who_types_is_told_until_they_stop_and_once_each() {
    let world = world().await;
    let mut owner = RoomOwner::default();
    let mut worker = asked(&world, &owner);
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    owner.tell(&world, &worker, &[ALICE]);
    let body = worker.sync(&world, since(BOB, &first)).await;
    assert_eq!(told(&body), Some(json!([ALICE])));
    assert_eq!(told(&worker.sync(&world, since(BOB, &first)).await), Some(json!([ALICE])), "the response may have been lost");
    let second = token(&body).to_owned();
    owner.tell(&world, &worker, &[ALICE]);
    assert_eq!(told(&worker.sync(&world, since(BOB, &second)).await), None, "a refresh is no news");
    owner.tell(&world, &worker, &[ALICE, BOB]);
    let body = worker.sync(&world, since(BOB, &second)).await;
    assert_eq!(told(&body), Some(json!([ALICE, BOB])));
    owner.tell(&world, &worker, &[]);
    let third = token(&body).to_owned();
    let body = worker.sync(&world, since(BOB, &third)).await;
    assert_eq!(told(&body), Some(json!([])));
    assert_eq!(told(&worker.sync(&world, since(BOB, token(&body))).await), None);
}

#[tokio::test]
async fn another_worker_asks_the_owner_before_it_tells_anything() {
    let world = world().await;
    let mut owner = RoomOwner::default();
    owner.types(&world, &[ALICE]);
    let mut worker = asked(&world, &owner);
    let body = worker.sync(&world, request(BOB)).await;
    assert_eq!(told(&body), Some(json!([ALICE])), "who begins is told who types");
    let mut late = world.worker();
    let kept = late.sync(&world, since(BOB, token(&body))).await;
    assert_eq!(told(&kept), None, "it does not know");
    owner.answers(&world, &late);
    assert_eq!(told(&late.sync(&world, since(BOB, token(&kept))).await), None, "it is as it was");
    let mut later = world.worker();
    let kept = later.sync(&world, since(BOB, token(&kept))).await;
    owner.types(&world, &[]);
    owner.answers(&world, &later);
    assert_eq!(told(&later.sync(&world, since(BOB, token(&kept))).await), Some(json!([])), "it is over");
    let initial = world.worker().sync(&world, request(BOB)).await;
    assert_eq!(told(&initial), None);
}

#[tokio::test]
async fn what_was_missed_is_asked_for_and_an_owners_death_ends_it() {
    let world = world().await;
    let mut owner = RoomOwner::default();
    let mut worker = asked(&world, &owner);
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    owner.types(&world, &[BOB]);
    let news = owner.types(&world, &[ALICE]);
    assert!(worker.tails.typing_news(world.shards.shard_of(ROOM), news), "the owner is to be asked");
    assert_eq!(told(&worker.sync(&world, since(BOB, &first)).await), None);
    owner.answers(&world, &worker);
    let body = worker.sync(&world, since(BOB, &first)).await;
    assert_eq!(told(&body), Some(json!([ALICE])));
    let dead = owner.types(&world, &[ALICE, BOB]);
    let begins = owner.dies();
    assert!(!worker.tails.typing_news(world.shards.shard_of(ROOM), begins));
    assert!(!worker.tails.typing_news(world.shards.shard_of(ROOM), dead), "the dead is not listened to");
    let body = worker.sync(&world, since(BOB, token(&body))).await;
    assert_eq!(told(&body), Some(json!([])));
    owner.tell(&world, &worker, &[ALICE]);
    assert_eq!(told(&worker.sync(&world, since(BOB, token(&body))).await), Some(json!([ALICE])));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_learns_late_that_it_is_over_wakes_who_waits() {
    let world = world().await;
    let mut owner = RoomOwner::default();
    owner.types(&world, &[ALICE]);
    let body = asked(&world, &owner).sync(&world, request(BOB)).await;
    let mut late = world.worker();
    late.catch_up(&world);
    let request = Request { timeout: Duration::from_secs(100), ..since(BOB, token(&body)) };
    let syncs = late.syncs.clone();
    let waiting = tokio::spawn(async move { sync(&syncs, request).await });
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished());
    owner.types(&world, &[]);
    owner.answers(&world, &late);
    assert_eq!(told(&waiting.await.unwrap().unwrap()), Some(json!([])));
}

#[tokio::test(start_paused = true)]
async fn starting_and_ending_wake_the_room() {
    let world = world().await;
    let mut owner = RoomOwner::default();
    let mut worker = asked(&world, &owner);
    let mut last = token(&worker.sync(&world, request(BOB)).await).to_owned();
    let settle = async || {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    };
    let poll = |token: &str| {
        let (syncs, poll) = (worker.syncs.clone(), Request { timeout: Duration::from_secs(100), ..since(BOB, token) });
        tokio::spawn(async move { sync(&syncs, poll).await })
    };
    for expected in [json!([ALICE]), json!([])] {
        let waiting = poll(&last);
        settle().await;
        assert!(!waiting.is_finished());
        if expected == json!([]) {
            worker.tails.expire_typing();
            settle().await;
            assert!(!waiting.is_finished(), "it is not over yet");
            world.clock.advance(Duration::from_secs(11));
            worker.tails.expire_typing();
        } else {
            owner.tell(&world, &worker, &[ALICE]);
        }
        let body = waiting.await.unwrap().unwrap();
        assert_eq!(told(&body), Some(expected));
        last = token(&body).to_owned();
    }
}

#[tokio::test]
async fn who_is_not_in_the_room_hears_nothing() {
    let mut world = world().await;
    let mut owner = RoomOwner::default();
    let mut worker = asked(&world, &owner);
    let bob = token(&worker.sync(&world, request(BOB)).await).to_owned();
    let carol = token(&worker.sync(&world, request("@carol:x")).await).to_owned();
    owner.tell(&world, &worker, &[ALICE]);
    let body = worker.sync(&world, since(BOB, &bob)).await;
    assert_eq!(told(&body), Some(json!([ALICE])));
    assert_eq!(told(&worker.sync(&world, since("@carol:x", &carol)).await), None);
    world.send(ROOM, BOB, member(BOB, "leave")).await;
    owner.tell(&world, &worker, &[]);
    let left = worker.sync(&world, since(BOB, token(&body))).await;
    assert_eq!(told(&left), None);
    assert!(left["rooms"]["leave"][ROOM].is_object());
}

#[tokio::test]
async fn whom_one_ignores_and_what_the_filter_leaves_out_is_not_told() {
    let mut world = world().await;
    let mut owner = RoomOwner::default();
    let mut worker = asked(&world, &owner);
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    owner.tell(&world, &worker, &[ALICE]);
    for ephemeral in [json!({"types": ["m.receipt"]}), json!({"not_types": ["m.typ*"]}), json!({"not_rooms": [ROOM]})] {
        let filter = json!({"room": {"ephemeral": ephemeral}}).to_string();
        for asked in [since(BOB, &first), request(BOB)] {
            let asked = Request { filter: filter.clone().into(), ..asked };
            let body = worker.sync(&world, asked).await;
            assert_eq!(told(&body), None, "{filter}");
            let told = told(&worker.sync(&world, since(BOB, token(&body))).await);
            assert_eq!(told, Some(json!([ALICE])), "what was not told is told when it is asked for");
        }
    }
    world.account_data(BOB, "", "m.ignored_user_list", &json!({"ignored_users": {ALICE: {}}})).await;
    assert_eq!(told(&worker.sync(&world, since(BOB, &first)).await), None);
}
