//! Who types, as it is told over the bus.

use banyan_bus::{Bus as _, Subscription};
use banyan_core::ServiceError;
use banyan_proto::{
    roomserver::{GetTypingRequest, GetTypingResponse, SetTypingRequest, TypingNews, TypingSet},
    status::from_status,
};
use futures::StreamExt as _;
use prost::Message as _;
use ruma::RoomId;
use serde_json::json;

use crate::world::{SHARDS, World, errcode};

const ALICE: &str = "@alice:one.test";
const BOB: &str = "@bob:two.test";

impl World {
    /// Types for so many milliseconds, or not any more.
    async fn types(&self, user: &str, room: &RoomId, time: Option<u64>) -> Result<(), ServiceError> {
        let request = SetTypingRequest {
            caller: self.caller(user, "D", None),
            room_id: room.to_string(),
            typing: time.is_some(),
            timeout_ms: time.unwrap_or_default(),
        };
        self.client.clone().set_typing(request).await.map(drop).map_err(|status| from_status(&status))
    }
}

async fn news(messages: &mut Subscription) -> TypingNews {
    TypingNews::decode(messages.next().await.unwrap().payload).unwrap()
}

/// Who types, by the next message.
async fn told(messages: &mut Subscription, room: &RoomId) -> Vec<(String, i64)> {
    users(room, news(messages).await.set.unwrap())
}

fn users(room: &RoomId, set: TypingSet) -> Vec<(String, i64)> {
    assert_eq!(set.room_id, room.as_str());
    set.users.into_iter().map(|user| (user.user_id, user.until)).collect()
}

fn names(told: Vec<(String, i64)>) -> Vec<String> {
    told.into_iter().map(|(user, _)| user).collect()
}

#[tokio::test]
async fn all_who_type_in_a_room_are_told_until_they_stop_or_leave() {
    let world = World::new().await;
    let mut messages = world.bus.subscribe("ty.*").await.unwrap();
    let room = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    world.join(BOB, &room).await;
    world.types(ALICE, &room, Some(30_000)).await.unwrap();
    let first = told(&mut messages, &room).await;
    assert_eq!(first[0].0, ALICE);
    world.types(ALICE, &room, Some(u64::MAX)).await.unwrap();
    let refreshed = told(&mut messages, &room).await;
    assert!((30_000..=120_000 + 30_000).contains(&(refreshed[0].1 - first[0].1)), "no longer than two minutes");
    world.types(BOB, &room, Some(30_000)).await.unwrap();
    assert_eq!(names(told(&mut messages, &room).await), [ALICE, BOB]);
    world.types(ALICE, &room, None).await.unwrap();
    assert_eq!(names(told(&mut messages, &room).await), [BOB]);
    world.types(ALICE, &room, Some(30_000)).await.unwrap();
    assert_eq!(names(told(&mut messages, &room).await), [ALICE, BOB]);
    world.leave(BOB, &room).await;
    assert_eq!(names(told(&mut messages, &room).await), [ALICE]);
    world.types(ALICE, &room, Some(0)).await.unwrap();
    world.types(ALICE, &room, None).await.unwrap();
    let _over = told(&mut messages, &room).await;
    assert!(told(&mut messages, &room).await.is_empty());
}

#[tokio::test]
async fn only_members_type() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    assert_eq!(errcode(world.types(BOB, &room, Some(1)).await), "M_FORBIDDEN");
    assert_eq!(errcode(world.types(BOB, &room, None).await), "M_FORBIDDEN");
    world.join(BOB, &room).await;
    world.types(BOB, &room, Some(1)).await.unwrap();
    world.leave(BOB, &room).await;
    assert_eq!(errcode(world.types(BOB, &room, Some(1)).await), "M_FORBIDDEN");
    let elsewhere = RoomId::parse("!nowhere:one.test").unwrap();
    assert_eq!(errcode(world.types(ALICE, &elsewhere, Some(1)).await), "M_FORBIDDEN");
}

#[tokio::test]
async fn the_owner_says_all_it_knows_and_its_news_are_numbered() {
    let mut world = World::new().await;
    let mut messages = world.bus.subscribe("ty.*").await.unwrap();
    let room = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    world.join(BOB, &room).await;
    let shard = SHARDS.shard_of(room.as_str());
    let ask = async |world: &World| {
        let request = GetTypingRequest { shard: u32::from(shard.0) };
        world.client.clone().get_typing(request).await.unwrap().into_inner()
    };
    assert_eq!(ask(&world).await, GetTypingResponse { epoch: 1, number: 0, sets: Vec::new() });
    world.types(ALICE, &room, Some(30_000)).await.unwrap();
    world.types(BOB, &room, Some(0)).await.unwrap();
    let told = [news(&mut messages).await, news(&mut messages).await].map(|news| (news.epoch, news.number));
    assert_eq!(told, [(1, 1), (1, 2)]);
    let GetTypingResponse { epoch, number, mut sets } = ask(&world).await;
    assert_eq!((epoch, number, sets.len()), (1, 2, 1));
    assert_eq!(names(users(&room, sets.pop().unwrap())), [ALICE], "what is over is not said");
    world.restart().await;
    for _ in SHARDS.shards() {
        assert_eq!(news(&mut messages).await, TypingNews { epoch: 2, number: 0, set: None }, "another owner begins, and says so");
    }
    assert_eq!(ask(&world).await, GetTypingResponse { epoch: 2, number: 0, sets: Vec::new() });
    let nowhere = GetTypingRequest { shard: 4_000 };
    assert!(world.client.clone().get_typing(nowhere).await.is_err());
}
