//! Published rooms.

use banyan_core::{LogId, ServiceError};
use banyan_proto::rooms::{ListingChange, Published, RoomEntry, RoomSummary, room_entry::Kind};
use http::Method;
use prost::Message as _;
use serde_json::{Value, json};

use crate::{
    fakes::Call,
    room::{ROOM, Room},
    world::{ALICE, GUEST_TOKEN, World, answer, assert_error},
};

const V3: &str = "/_matrix/client/v3";

/// Lists a room in a tenant's directory, as its owner would.
async fn list(world: &World, tenant: &str, room_id: &str, summary: RoomSummary) {
    let rank = Some(summary.joined);
    let change = ListingChange { tenant: tenant.to_owned(), previous_rank: None, rank };
    let published = Published { tenant: tenant.to_owned(), published: true, joined: 0 };
    let entry = RoomEntry {
        room_id: room_id.to_owned(),
        listings: vec![change],
        listed: Some(summary),
        kind: Some(Kind::Published(published)),
        ..RoomEntry::default()
    };
    world.append(LogId::rooms(world.context.shards.shard_of(room_id)), entry.encode_to_vec()).await;
}

fn summary(name: &str, joined: u64) -> RoomSummary {
    RoomSummary { name: name.to_owned(), joined, join_rule: "public".to_owned(), ..RoomSummary::default() }
}

/// Ten rooms with ten to one members.
async fn ten_rooms(world: &World) {
    for n in 1..=10 {
        list(world, "one.test", &format!("!{n}:one.test"), summary(&format!("Room {n}"), n)).await;
    }
}

fn names(page: &Value) -> Vec<&str> {
    page["chunk"].as_array().unwrap().iter().map(|room| room["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_page_shows_all_that_is_known_of_a_room() {
    let world = World::new().await;
    let whole = RoomSummary {
        topic: "Beer".to_owned(),
        avatar_url: "mxc://one.test/a".to_owned(),
        canonical_alias: "#pub:one.test".to_owned(),
        world_readable: true,
        guest_can_join: true,
        room_type: "m.space".to_owned(),
        ..summary("Pub", 2)
    };
    list(&world, "one.test", "!pub:one.test", whole).await;
    list(&world, "one.test", "!bare:one.test", summary("", 1)).await;
    let expected = json!([
        {
            "room_id": "!pub:one.test", "name": "Pub", "topic": "Beer", "avatar_url": "mxc://one.test/a", "num_joined_members": 2,
            "canonical_alias": "#pub:one.test", "world_readable": true, "guest_can_join": true, "join_rule": "public",
            "room_type": "m.space",
        },
        {
            "room_id": "!bare:one.test", "num_joined_members": 1, "world_readable": false, "guest_can_join": false,
            "join_rule": "public",
        },
    ]);
    let (status, page) = answer(world.request(Method::GET, &format!("{V3}/publicRooms"), None)).await;
    assert_eq!((status.as_u16(), &page), (200, &json!({ "chunk": expected, "total_room_count_estimate": 2 })));
    assert_eq!(world.post(&format!("{V3}/publicRooms"), json!({})).await.1, page);
}

#[tokio::test]
async fn the_directory_is_paged_both_ways() {
    let world = World::new().await;
    ten_rooms(&world).await;
    let page = async |query: &str| world.get(&format!("{V3}/publicRooms?limit=4{query}")).await.1;
    let next = |page: &Value, which: &str| format!("&since={}", page[which].as_str().unwrap());
    let first = page("").await;
    assert_eq!(names(&first), ["Room 10", "Room 9", "Room 8", "Room 7"]);
    assert!(first.get("prev_batch").is_none() && first.get("total_room_count_estimate").is_none());
    let second = page(&next(&first, "next_batch")).await;
    assert_eq!(names(&second), ["Room 6", "Room 5", "Room 4", "Room 3"]);
    let third = page(&next(&second, "next_batch")).await;
    assert_eq!(names(&third), ["Room 2", "Room 1"]);
    assert!(third.get("next_batch").is_none());
    let back = page(&next(&third, "prev_batch")).await;
    assert_eq!(names(&back), names(&second));
    assert_eq!(names(&page(&next(&back, "next_batch")).await), names(&third));
    let start = page(&next(&back, "prev_batch")).await;
    assert_eq!(names(&start), names(&first));
    assert!(start.get("prev_batch").is_none());
    let body = json!({"limit": 4, "since": first["next_batch"]});
    assert_eq!(world.post(&format!("{V3}/publicRooms"), body).await.1, second);
    assert_eq!(names(&world.get(&format!("{V3}/publicRooms?limit=0")).await.1).len(), 10);
}

#[tokio::test]
async fn a_filter_is_for_the_whole_directory() {
    let world = World::new().await;
    ten_rooms(&world).await;
    let space = RoomSummary { room_type: "m.space".to_owned(), topic: "Où est le café?".to_owned(), ..summary("Attic", 3) };
    list(&world, "one.test", "!attic:one.test", space).await;
    let search = async |body: Value| world.post(&format!("{V3}/publicRooms"), body).await.1;
    assert_eq!(names(&search(json!({"filter": {"generic_search_term": "ROOM 1"}})).await), ["Room 10", "Room 1"]);
    let page = search(json!({"limit": 1, "filter": {"generic_search_term": "room 1"}})).await;
    assert_eq!(names(&page), ["Room 10"]);
    let page = search(json!({"since": page["next_batch"], "filter": {"generic_search_term": "room 1"}})).await;
    assert_eq!((names(&page), page.get("next_batch")), (vec!["Room 1"], None));
    assert_eq!(names(&search(json!({"filter": {"generic_search_term": "ou est le cafe"}})).await), ["Attic"]);
    assert_eq!(names(&search(json!({"filter": {"room_types": ["m.space"]}})).await), ["Attic"]);
    assert_eq!(names(&search(json!({"filter": {"room_types": [null]}})).await).len(), 10);
    assert_eq!(names(&search(json!({"filter": {"room_types": [null, "m.space"]}})).await).len(), 11);
    assert_eq!(names(&search(json!({"include_all_networks": true})).await).len(), 11);
    assert!(names(&search(json!({"third_party_instance_id": "irc"})).await).is_empty());
}

#[tokio::test]
async fn every_tenant_has_its_own_which_others_may_read() {
    let world = World::new().await;
    list(&world, "one.test", "!1:one.test", summary("One", 1)).await;
    list(&world, "two.test", "!2:two.test", summary("Two", 1)).await;
    let page = async |query: &str| world.get(&format!("{V3}/publicRooms{query}")).await.1;
    assert_eq!(names(&page("").await), ["One"]);
    assert_eq!(names(&page("?server=one.test").await), ["One"]);
    assert_eq!(names(&page("?server=two.test").await), ["Two"]);
    assert_eq!(names(&world.post(&format!("{V3}/publicRooms?server=two.test"), json!({})).await.1), ["Two"]);
    assert_error(&world.get(&format!("{V3}/publicRooms?server=elsewhere.test")).await, 404, "M_NOT_FOUND");
    assert_error(&world.get(&format!("{V3}/publicRooms?server=%20")).await, 400, "M_INVALID_PARAM");
}

#[tokio::test]
async fn nonsense_has_the_specified_errors() {
    let world = World::new().await;
    for query in ["since=nonsense", "since=n1", "limit=-1", "limit=many"] {
        assert_error(&world.get(&format!("{V3}/publicRooms?{query}")).await, 400, "M_INVALID_PARAM");
    }
    let path = format!("{V3}/publicRooms");
    assert_error(&world.post(&path, json!({"since": "nonsense"})).await, 400, "M_INVALID_PARAM");
    assert_error(&world.post(&path, json!({"limit": -1})).await, 400, "M_BAD_JSON");
    assert_error(&world.post(&path, json!({"filter": {"room_types": "m.space"}})).await, 400, "M_BAD_JSON");
    let long = json!({"filter": {"generic_search_term": "x".repeat(513)}});
    assert_error(&world.post(&path, long).await, 400, "M_INVALID_PARAM");
    let both = json!({"include_all_networks": true, "third_party_instance_id": "irc"});
    assert_error(&world.post(&path, both).await, 400, "M_INVALID_PARAM");
    assert_error(&world.post_as(Some(GUEST_TOKEN), &path, json!({})).await, 403, "M_GUEST_ACCESS_FORBIDDEN");
}

#[tokio::test]
async fn whether_a_room_is_published_is_told_to_all_and_decided_by_its_owner() {
    let world = World::new().await;
    Room::new(&world, &[ALICE]).await;
    let path = format!("{V3}/directory/list/room/{ROOM}");
    let get = async || answer(world.request(Method::GET, &path, None)).await.1;
    assert_eq!(get().await, json!({"visibility": "private"}));
    list(&world, "two.test", ROOM, summary("", 1)).await;
    assert_eq!(get().await, json!({"visibility": "private"}));
    list(&world, "one.test", ROOM, summary("", 1)).await;
    assert_eq!(get().await, json!({"visibility": "public"}));

    for (body, published) in [(json!({"visibility": "private"}), false), (json!({"visibility": "public"}), true), (json!({}), true)]
    {
        assert_eq!(world.put(&path, body).await.1, json!({}));
        let Call::PublishRoom(request) = world.fakes.only() else { panic!("another call") };
        assert_eq!((request.room_id.as_str(), request.published), (ROOM, published));
        assert_eq!(request.caller.unwrap().user_id, ALICE);
    }
    assert_error(&world.put(&path, json!({"visibility": "secret"})).await, 400, "M_BAD_JSON");
    let unknown = format!("{V3}/directory/list/room/!unknown:one.test");
    assert_error(&world.get(&unknown).await, 404, "M_NOT_FOUND");
    assert_error(&world.put(&unknown, json!({})).await, 404, "M_NOT_FOUND");
    let invalid = format!("{V3}/directory/list/room/nonsense");
    assert_error(&world.get(&invalid).await, 400, "M_INVALID_PARAM");
    assert!(world.fakes.take().is_empty());
    world.fakes.fail("PublishRoom", ServiceError::forbidden("no"));
    assert_error(&world.put(&path, json!({})).await, 403, "M_FORBIDDEN");
    let guest = answer(world.request(Method::PUT, &path, Some(GUEST_TOKEN)).body("{}")).await;
    assert_error(&guest, 403, "M_GUEST_ACCESS_FORBIDDEN");
    let nobody = answer(world.request(Method::PUT, &path, None).body("{}")).await;
    assert_error(&nobody, 401, "M_MISSING_TOKEN");
}
