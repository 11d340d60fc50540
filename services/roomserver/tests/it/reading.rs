//! The read side: pages, places, states.

use banyan_core::LogSeq;
use banyan_proto::roomserver::change_membership_request::Action;
use banyan_rooms::{
    RoomPlace,
    reader::{At, Direction, MembersQuery, TimelineQuery},
};
use ruma::events::room::member::MembershipState;
use serde_json::json;

use crate::world::World;

const ALICE: &str = "@alice:one.test";
const BOB: &str = "@bob:two.test";

#[tokio::test]
async fn pages_meet_without_gap_or_overlap_in_both_directions() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({})).await.unwrap();
    // More than a bucket.
    for n in 0..560 {
        world.message(ALICE, &room, &n.to_string()).await.unwrap();
    }
    let total = usize::try_from(world.reader.head(&room).await.unwrap().unwrap().next_arrival).unwrap();
    for (direction, mut from) in [(Direction::Backward, RoomPlace::END), (Direction::Forward, RoomPlace::START)] {
        let mut places = Vec::new();
        loop {
            let query = TimelineQuery { from, to: None, direction, limit: 37 };
            let page = world.reader.timeline(&room, query).await.unwrap();
            places.extend(page.events.iter().map(|event| event.place.unwrap().arrival));
            let Some(next) = page.next else { break };
            from = next;
        }
        if direction == Direction::Backward {
            places.reverse();
        }
        assert_eq!(places, (0..i64::try_from(total).unwrap()).collect::<Vec<_>>());
    }
    let bounded = TimelineQuery {
        from: RoomPlace::arrival(520),
        to: Some(RoomPlace::arrival(500)),
        direction: Direction::Backward,
        limit: 100,
    };
    let page = world.reader.timeline(&room, bounded).await.unwrap();
    let arrivals: Vec<i64> = page.events.iter().map(|event| event.place.unwrap().arrival).collect();
    assert_eq!(arrivals, (501..=520).rev().collect::<Vec<_>>());
    assert!(page.next.is_none());
    // Every position of the log has its place.
    let mut expected = None;
    let events = world
        .reader
        .timeline(&room, TimelineQuery { from: RoomPlace::START, to: None, direction: Direction::Forward, limit: 1000 });
    let events = events.await.unwrap().events;
    let last = events.last().unwrap().seq.0;
    for seq in 0..=last + 3 {
        expected = events.iter().filter(|event| event.seq.0 <= seq).filter_map(|event| event.place).next_back().or(expected);
        if seq % 7 == 0 || seq + 5 > last {
            assert_eq!(world.reader.place_at(&room, LogSeq(seq)).await.unwrap(), expected, "{seq}");
        }
    }
}

#[tokio::test]
async fn members_and_state_are_read_as_of_then() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({"preset": "public_chat", "name": "old"})).await.unwrap();
    world.join(BOB, &room).await;
    let then = world.message(BOB, &room, "x").await.unwrap();
    let then = world.reader.event(&room, then.as_str().try_into().unwrap()).await.unwrap().unwrap().place.unwrap();
    world.set(ALICE, &room, "m.room.name", "", json!({"name": "new"})).await.unwrap();
    world.act(ALICE, Action::Kick, BOB, &room).await.unwrap();
    world.act(ALICE, Action::Invite, "@carol:one.test", &room).await.unwrap();
    let name = |at| {
        let (reader, room) = (world.reader.clone(), room.clone());
        async move { reader.state_event(&room, "m.room.name", "", &at).await.unwrap().unwrap().content() }
    };
    assert_eq!(name(At::Place(then)).await, r#"{"name":"old"}"#);
    assert_eq!(name(At::Now).await, r#"{"name":"new"}"#);
    let members = |query: MembersQuery| {
        let (reader, room) = (world.reader.clone(), room.clone());
        async move {
            let events = reader.members(&room, &query).await.unwrap();
            let mut users: Vec<String> = events.into_iter().map(|event| event.state_key).collect();
            users.sort();
            users
        }
    };
    let now = MembersQuery { membership: Some(MembershipState::Join), ..MembersQuery::default() };
    assert_eq!(members(now.clone()).await, [ALICE]);
    assert_eq!(members(MembersQuery { at: At::Place(then), ..now }).await, [ALICE, BOB]);
    let not = MembersQuery { not_membership: Some(MembershipState::Join), ..MembersQuery::default() };
    assert_eq!(members(not).await, [BOB, "@carol:one.test"]);
    let before = world.reader.state(&room, &At::Place(then)).await.unwrap();
    assert_eq!(before.iter().filter(|event| event.event_type == "m.room.member").count(), 2);
    let bob = |at| {
        let (reader, room) = (world.reader.clone(), room.clone());
        async move { reader.membership_at(&room, BOB.try_into().unwrap(), &at).await.unwrap() }
    };
    assert_eq!(bob(At::Place(then)).await, MembershipState::Join);
    assert_eq!(bob(At::Now).await, MembershipState::Leave);
    assert_eq!(world.reader.joined_members(&room).await.unwrap().len(), 1);
    assert_eq!(world.reader.joined_rooms(ALICE.try_into().unwrap()).await.unwrap(), [room]);
}
