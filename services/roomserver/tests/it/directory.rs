//! Rooms in the directories of tenants.

use banyan_core::ServiceError;
use banyan_proto::{
    rooms::RoomSummary,
    roomserver::{PublishRoomRequest, change_membership_request::Action},
    status::from_status,
    users::Account,
};
use ruma::{RoomId, ServerName};
use serde_json::json;

use crate::world::{World, errcode};

const ALICE: &str = "@alice:one.test";
const BOB: &str = "@bob:one.test";
const CAROL: &str = "@carol:two.test";

async fn publish(world: &World, user: &str, room: &RoomId, published: bool) -> Result<(), ServiceError> {
    send(world, request(world, user, room, published)).await
}

fn request(world: &World, user: &str, room: &RoomId, published: bool) -> PublishRoomRequest {
    PublishRoomRequest { caller: world.caller(user, "D", None), room_id: room.to_string(), published }
}

async fn send(world: &World, request: PublishRoomRequest) -> Result<(), ServiceError> {
    world.client.clone().publish_room(request).await.map(drop).map_err(|status| from_status(&status))
}

/// What a tenant's directory shows: rooms with their ranks.
async fn listed(world: &World, tenant: &str) -> Vec<(String, u64, RoomSummary)> {
    let mut walk = world.reader.directory(<&ServerName>::try_from(tenant).unwrap(), None, false);
    let mut rooms = Vec::new();
    while let Some((place, summary)) = walk.next().await.unwrap() {
        rooms.push((place.room_id().to_string(), place.rank(), summary));
    }
    rooms
}

#[tokio::test]
async fn a_listing_follows_its_room() {
    let world = World::new().await;
    let body = json!({"visibility": "public", "preset": "public_chat", "name": "Pub", "creation_content": {"type": "m.space"}});
    let room = world.create(ALICE, body).await.unwrap();
    let only = async || {
        let mut rooms = listed(&world, "one.test").await;
        assert_eq!(rooms.len(), 1, "{rooms:?}");
        let (room_id, rank, summary) = rooms.pop().unwrap();
        assert_eq!((room_id.as_str(), rank), (room.as_str(), summary.joined));
        summary
    };
    let summary = only().await;
    assert_eq!((summary.name.as_str(), summary.joined, summary.join_rule.as_str()), ("Pub", 1, "public"));
    assert_eq!((summary.room_type.as_str(), summary.room_version.as_str()), ("m.space", "12"));
    assert!(!summary.world_readable && !summary.guest_can_join);

    world.join(BOB, &room).await;
    world.join(CAROL, &room).await;
    assert_eq!(only().await.joined, 3);
    world.leave(BOB, &room).await;
    assert_eq!(only().await.joined, 2);
    world.act(ALICE, Action::Ban, CAROL, &room).await.unwrap();
    assert_eq!(only().await.joined, 1);

    world.claim(ALICE, "#pub:one.test", &room).await.unwrap();
    for (event_type, content) in [
        ("m.room.name", json!({"name": "Inn"})),
        ("m.room.topic", json!({"topic": "Beer"})),
        ("m.room.avatar", json!({"url": "mxc://one.test/a"})),
        ("m.room.canonical_alias", json!({"alias": "#pub:one.test"})),
        ("m.room.guest_access", json!({"guest_access": "can_join"})),
        ("m.room.history_visibility", json!({"history_visibility": "world_readable"})),
        ("m.room.join_rules", json!({"join_rule": "knock"})),
    ] {
        world.set(ALICE, &room, event_type, "", content).await.unwrap();
    }
    let summary = only().await;
    assert_eq!((summary.name.as_str(), summary.topic.as_str(), summary.avatar_url.as_str()), ("Inn", "Beer", "mxc://one.test/a"));
    assert_eq!((summary.canonical_alias.as_str(), summary.join_rule.as_str()), ("#pub:one.test", "knock"));
    assert!(summary.world_readable && summary.guest_can_join);
    assert_eq!(world.reader.summary(&room).await.unwrap().as_ref(), Some(&summary));

    let named = world.set(ALICE, &room, "m.room.name", "", json!({"name": "Rude"})).await.unwrap();
    world.redact(ALICE, &room, &named).await.unwrap();
    assert_eq!(only().await.name, "");
}

#[tokio::test]
async fn what_directories_do_not_show_costs_them_nothing() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({"visibility": "public", "preset": "public_chat"})).await.unwrap();
    let head = || async { world.reader.head(&room).await.unwrap().unwrap() };
    let before = head().await;
    assert_eq!(before.listings.len(), 1);
    world.message(ALICE, &room, "hello").await.unwrap();
    world.set(ALICE, &room, "org.example.state", "", json!({"a": 1})).await.unwrap();
    let after = head().await;
    assert_eq!(after.listings, before.listings);
    assert_eq!(listed(&world, "one.test").await.len(), 1);
}

#[tokio::test]
async fn a_directory_shows_rooms_that_one_can_come_into_or_look_at() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({"visibility": "public", "preset": "private_chat"})).await.unwrap();
    let shown = async || listed(&world, "one.test").await.len() == 1;
    assert!(!shown().await);
    world.set(ALICE, &room, "m.room.history_visibility", "", json!({"history_visibility": "world_readable"})).await.unwrap();
    assert!(shown().await);
    world.set(ALICE, &room, "m.room.history_visibility", "", json!({"history_visibility": "shared"})).await.unwrap();
    assert!(!shown().await);
    world.set(ALICE, &room, "m.room.join_rules", "", json!({"join_rule": "public"})).await.unwrap();
    assert!(shown().await);
    world.leave(ALICE, &room).await;
    assert!(!shown().await, "nobody is there");
}

#[tokio::test]
async fn every_tenant_has_a_directory_of_its_own() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    world.join(CAROL, &room).await;
    let levels = json!({"users": {CAROL: 50}});
    world.set(ALICE, &room, "m.room.power_levels", "", levels).await.unwrap();
    publish(&world, CAROL, &room, true).await.unwrap();
    assert_eq!((listed(&world, "one.test").await.len(), listed(&world, "two.test").await.len()), (0, 1));
    publish(&world, ALICE, &room, true).await.unwrap();
    world.join(BOB, &room).await;
    for tenant in ["one.test", "two.test"] {
        assert_eq!(listed(&world, tenant).await[0].1, 3);
    }
    publish(&world, CAROL, &room, false).await.unwrap();
    assert_eq!((listed(&world, "one.test").await.len(), listed(&world, "two.test").await.len()), (1, 0));
    assert!(!world.reader.is_published("two.test".try_into().unwrap(), &room).await.unwrap());
}

#[tokio::test]
async fn who_may_name_a_room_may_publish_it_and_so_may_administrators() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    world.join(BOB, &room).await;
    assert_eq!(errcode(publish(&world, BOB, &room, true).await), "M_FORBIDDEN");
    assert_eq!(errcode(publish(&world, "@stranger:one.test", &room, true).await), "M_FORBIDDEN");
    let unknown = RoomId::parse("!unknown:one.test").unwrap();
    assert_eq!(errcode(publish(&world, ALICE, &unknown, true).await), "M_NOT_FOUND");
    world.add_account("@stranger:one.test", Account { admin: true, ..Account::default() }).await;
    publish(&world, "@stranger:one.test", &room, true).await.unwrap();
    assert_eq!(listed(&world, "one.test").await.len(), 1);
    world.add_account("@stranger:one.test", Account { admin: true, deactivated: true, ..Account::default() }).await;
    assert_eq!(errcode(publish(&world, "@stranger:one.test", &room, false).await), "M_FORBIDDEN");
    world.leave(ALICE, &room).await;
    assert_eq!(errcode(publish(&world, ALICE, &room, false).await), "M_FORBIDDEN");
}

#[tokio::test]
async fn publishing_again_changes_nothing_and_a_retry_is_told_that_it_is_done() {
    let mut world = World::new().await;
    let room = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    let first = request(&world, ALICE, &room, true);
    send(&world, first.clone()).await.unwrap();
    let seq = || async { world.reader.head(&room).await.unwrap().unwrap().seq };
    let before = seq().await;
    publish(&world, ALICE, &room, true).await.unwrap();
    assert_eq!(seq().await, before);
    publish(&world, ALICE, &room, false).await.unwrap();
    send(&world, first.clone()).await.unwrap();
    assert!(listed(&world, "one.test").await.is_empty(), "a retry does nothing");
    world.restart().await;
    send(&world, first).await.unwrap();
    assert!(listed(&world, "one.test").await.is_empty(), "nor does it elsewhere");
}

#[tokio::test]
async fn listings_outlive_their_owner_and_move_with_an_upgrade() {
    let mut world = World::new().await;
    let room = world.create(ALICE, json!({"visibility": "public", "preset": "public_chat", "name": "Old"})).await.unwrap();
    world.restart().await;
    world.join(BOB, &room).await;
    assert_eq!(listed(&world, "one.test").await[0].1, 2);
    let request = banyan_proto::roomserver::UpgradeRoomRequest {
        caller: world.caller(ALICE, "D", None),
        room_id: room.to_string(),
        new_version: "12".to_owned(),
        ..Default::default()
    };
    let new = world.client.clone().upgrade_room(request).await.unwrap().into_inner().replacement_room;
    let rooms = listed(&world, "one.test").await;
    assert_eq!(rooms.iter().map(|(room, ..)| room.as_str()).collect::<Vec<_>>(), [new.as_str()]);
    assert_eq!(rooms[0].2.name, "Old");
}

#[tokio::test]
async fn a_row_of_a_large_room_stays_where_it_is_for_a_while() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({"visibility": "public", "preset": "public_chat"})).await.unwrap();
    for n in 0..40 {
        world.join(&format!("@u{n}:one.test"), &room).await;
    }
    let (_, rank, summary) = listed(&world, "one.test").await.remove(0);
    assert_eq!(summary.joined, 41);
    assert!((39..=41).contains(&rank), "{rank}");
    world.leave("@u0:one.test", &room).await;
    let rooms = listed(&world, "one.test").await;
    assert_eq!((rooms.len(), rooms[0].1, rooms[0].2.joined), (1, rank, 40));
}
