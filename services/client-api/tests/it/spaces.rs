//! Rooms that are found: summaries, the trees of spaces, shared rooms.

use banyan_proto::users::account;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    room::{ROOM, Room, bind_alias},
    world::{ALICE, GUEST_TOKEN, World, answer, assert_error},
};

const V1: &str = "/_matrix/client/v1";
const UNSTABLE: &str = "/_matrix/client/unstable";
const BOB: &str = "@bob:one.test";
const BOB_TOKEN: &str = "bob-token";

/// A room of Bob's with this join rule.
async fn room(world: &World, id: &str, join_rules: Value) -> Room {
    typed(world, id, join_rules, json!({})).await
}

/// A space of Bob's that everybody may join.
async fn space(world: &World, id: &str) -> Room {
    typed(world, id, json!({"join_rule": "public"}), json!({"type": "m.space"})).await
}

async fn typed(world: &World, id: &str, join_rules: Value, create: Value) -> Room {
    let mut room = Room::with_id(world, id, &[BOB], create).await;
    room.add(world, "m.room.join_rules", Some(""), BOB, join_rules).await;
    room
}

async fn child(world: &World, space: &mut Room, child: &str, content: Value) {
    space.add(world, "m.space.child", Some(child), BOB, content).await;
}

async fn member(world: &World, room: &mut Room, user: &str, membership: &str) {
    room.add(world, "m.room.member", Some(user), user, json!({"membership": membership})).await;
}

fn ids(page: &Value) -> Vec<&str> {
    page["rooms"].as_array().unwrap().iter().map(|room| room["room_id"].as_str().unwrap()).collect()
}

async fn as_nobody(world: &World, path: &str) -> (StatusCode, Value) {
    answer(world.request(Method::GET, path, None)).await
}

#[tokio::test]
async fn a_summary_says_what_may_be_known_and_the_callers_membership() {
    let world = World::new().await;
    let mut room = Room::with_id(&world, ROOM, &[BOB], json!({"type": "m.space"})).await;
    for (kind, content) in [
        ("m.room.name", json!({"name": "Pub"})),
        ("m.room.topic", json!({"topic": "Beer"})),
        ("m.room.avatar", json!({"url": "mxc://one.test/a"})),
        ("m.room.canonical_alias", json!({"alias": "#pub:one.test"})),
        ("m.room.encryption", json!({"algorithm": "m.megolm.v1.aes-sha2"})),
        ("m.room.guest_access", json!({"guest_access": "can_join"})),
        ("m.room.history_visibility", json!({"history_visibility": "world_readable"})),
        ("m.room.join_rules", json!({"join_rule": "public"})),
    ] {
        room.add(&world, kind, Some(""), BOB, content).await;
    }
    bind_alias(&world, "#pub:one.test", BOB).await;
    let known = json!({
        "room_id": ROOM, "name": "Pub", "topic": "Beer", "avatar_url": "mxc://one.test/a", "canonical_alias": "#pub:one.test",
        "num_joined_members": 1, "world_readable": true, "guest_can_join": true, "join_rule": "public", "room_type": "m.space",
        "encryption": "m.megolm.v1.aes-sha2", "room_version": "11",
    });
    assert_eq!(as_nobody(&world, &format!("{V1}/room_summary/{ROOM}?via=one.test")).await.1, known);
    let mut own = known.clone();
    own["membership"] = "leave".into();
    for name in [ROOM, "%23pub:one.test"] {
        assert_eq!(world.get(&format!("{V1}/room_summary/{name}")).await.1, own, "{name}");
    }
    member(&world, &mut room, ALICE, "join").await;
    let joined = world.get(&format!("{V1}/room_summary/{ROOM}")).await.1;
    assert_eq!((&joined["membership"], &joined["num_joined_members"]), (&json!("join"), &json!(2)));

    own["im.nheko.summary.encryption"] = "m.megolm.v1.aes-sha2".into();
    own["im.nheko.summary.room_version"] = "11".into();
    own["membership"] = "join".into();
    own["num_joined_members"] = 2.into();
    for path in ["im.nheko.summary/summary/!room:one.test", "im.nheko.summary/rooms/!room:one.test/summary"] {
        assert_eq!(world.get(&format!("{UNSTABLE}/{path}")).await.1, own, "{path}");
    }
}

#[tokio::test]
async fn a_room_that_may_not_be_found_is_not_told_from_one_that_is_not_there() {
    let world = World::new().await;
    let mut hidden = room(&world, ROOM, json!({"join_rule": "invite"})).await;
    let path = format!("{V1}/room_summary/{ROOM}");
    let unknown = world.get(&format!("{V1}/room_summary/!unknown:one.test")).await;
    assert_error(&unknown, 404, "M_NOT_FOUND");
    assert_eq!(world.get(&path).await, unknown);
    assert_eq!(as_nobody(&world, &path).await, unknown);
    assert_error(&world.get(&format!("{V1}/room_summary/%23unknown:one.test")).await, 404, "M_NOT_FOUND");
    assert_error(&world.get(&format!("{V1}/room_summary/nonsense")).await, 400, "M_INVALID_PARAM");
    for (membership, status) in [("invite", 200), ("leave", 404), ("knock", 404), ("join", 200), ("ban", 404)] {
        member(&world, &mut hidden, ALICE, membership).await;
        assert_eq!(world.get(&path).await.0.as_u16(), status, "{membership}");
    }
    hidden.add(&world, "m.room.join_rules", Some(""), BOB, json!({"join_rule": "public"})).await;
    assert_error(&world.get(&path).await, 404, "M_NOT_FOUND");
    assert_eq!(as_nobody(&world, &path).await.0.as_u16(), 200);
}

#[tokio::test]
async fn a_restricted_room_is_found_by_members_of_the_rooms_it_names() {
    let world = World::new().await;
    let mut club = room(&world, "!club:one.test", json!({"join_rule": "invite"})).await;
    let allow = json!([{"type": "m.room_membership", "room_id": "!club:one.test"}]);
    let mut bar = room(&world, "!bar:one.test", json!({"join_rule": "restricted", "allow": allow})).await;
    let path = format!("{V1}/room_summary/!bar:one.test");
    assert_error(&world.get(&path).await, 404, "M_NOT_FOUND");
    member(&world, &mut club, ALICE, "invite").await;
    assert_error(&world.get(&path).await, 404, "M_NOT_FOUND");
    member(&world, &mut club, ALICE, "join").await;
    let summary = world.get(&path).await.1;
    assert_eq!((&summary["join_rule"], &summary["allowed_room_ids"]), (&json!("restricted"), &json!(["!club:one.test"])));
    assert_error(&as_nobody(&world, &path).await, 404, "M_NOT_FOUND");
    member(&world, &mut club, ALICE, "leave").await;
    assert_error(&world.get(&path).await, 404, "M_NOT_FOUND");
    bar.add(&world, "m.room.join_rules", Some(""), BOB, json!({"join_rule": "knock_restricted", "allow": allow})).await;
    assert_eq!(as_nobody(&world, &path).await.1["allowed_room_ids"], json!(["!club:one.test"]));
}

/// A space with a room, a space (with two rooms and the first space again), a room nobody may find, one that is not known, and a room.
async fn tree(world: &World) {
    let via = |order: &str| json!({"via": ["one.test"], "order": order});
    let mut root = space(world, "!root:one.test").await;
    for (n, id) in ["!r1:one.test", "!s1:one.test", "!hidden:one.test", "!unknown:one.test", "!r2:one.test"].into_iter().enumerate()
    {
        let mut content = via(&n.to_string());
        content["suggested"] = (n != 1).into();
        child(world, &mut root, id, content).await;
    }
    child(world, &mut root, "!gone:one.test", json!({})).await;
    let mut sub = space(world, "!s1:one.test").await;
    for (n, id) in ["!r3:one.test", "!root:one.test", "!r4:one.test"].into_iter().enumerate() {
        child(world, &mut sub, id, via(&n.to_string())).await;
    }
    for id in ["!r1:one.test", "!r2:one.test", "!r4:one.test"] {
        room(world, id, json!({"join_rule": "public"})).await;
    }
    let mut r3 = room(world, "!r3:one.test", json!({"join_rule": "knock"})).await;
    // Not a space: what it names is not looked at.
    child(world, &mut r3, "!r5:one.test", via("0")).await;
    for (id, rule) in [("!hidden:one.test", "invite"), ("!gone:one.test", "public"), ("!r5:one.test", "public")] {
        room(world, id, json!({"join_rule": rule})).await;
    }
}

#[tokio::test]
async fn a_tree_is_walked_depth_first_and_each_room_shown_once() {
    let world = World::new().await;
    tree(&world).await;
    let page = async |query: &str| world.get(&format!("{V1}/rooms/!root:one.test/hierarchy{query}")).await.1;
    let whole = page("").await;
    let all = ["!root:one.test", "!r1:one.test", "!s1:one.test", "!r3:one.test", "!r4:one.test", "!r2:one.test"];
    assert_eq!(ids(&whole), all);
    assert!(whole.get("next_batch").is_none());
    let root = &whole["rooms"][0];
    assert_eq!(
        (&root["room_type"], &root["num_joined_members"], &root["room_version"]),
        (&json!("m.space"), &json!(1), &json!("11"))
    );
    let children = root["children_state"].as_array().unwrap();
    let keys: Vec<_> = children.iter().map(|child| child["state_key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["!r1:one.test", "!s1:one.test", "!hidden:one.test", "!unknown:one.test", "!r2:one.test"]);
    let first = json!({
        "type": "m.space.child", "state_key": "!r1:one.test", "sender": BOB, "origin_server_ts": children[0]["origin_server_ts"],
        "content": {"via": ["one.test"], "order": "0", "suggested": true},
    });
    assert!(first["origin_server_ts"].is_i64());
    assert_eq!(children[0], first);
    assert_eq!((&whole["rooms"][3]["join_rule"], &whole["rooms"][3]["children_state"]), (&json!("knock"), &json!([])));

    assert_eq!(ids(&page("?max_depth=0").await), ["!root:one.test"]);
    assert_eq!(ids(&page("?max_depth=1").await), ["!root:one.test", "!r1:one.test", "!s1:one.test", "!r2:one.test"]);
    let suggested = page("?suggested_only=true").await;
    assert_eq!(ids(&suggested), ["!root:one.test", "!r1:one.test", "!r2:one.test"]);
    assert_eq!(suggested["rooms"][0]["children_state"].as_array().unwrap().len(), 4);

    let mut paged = Vec::new();
    let mut from = String::new();
    loop {
        let page = page(&format!("?limit=2{from}")).await;
        assert!(ids(&page).len() <= 2);
        paged.extend(ids(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next_batch"].as_str() else { break };
        from = format!("&from={next}");
    }
    assert_eq!(paged, all);
    assert!(page("?limit=6").await.get("next_batch").is_none(), "there is nothing more");
}

#[tokio::test]
async fn a_tree_has_the_specified_errors() {
    let world = World::new().await;
    tree(&world).await;
    let get = async |room: &str, query: &str| world.get(&format!("{V1}/rooms/{room}/hierarchy{query}")).await;
    assert_error(&get("!hidden:one.test", "").await, 403, "M_FORBIDDEN");
    assert_error(&get("!unknown:one.test", "").await, 403, "M_FORBIDDEN");
    let root = "!root:one.test";
    for query in ["?limit=0", "?limit=-1", "?max_depth=-1", "?from=nonsense", "?suggested_only=perhaps"] {
        assert_error(&get(root, query).await, 400, "M_INVALID_PARAM");
    }
    let from = get(root, "?limit=1").await.1["next_batch"].as_str().unwrap().to_owned();
    assert_error(&get(root, &format!("?limit=1&max_depth=1&from={from}")).await, 400, "M_INVALID_PARAM");
    assert_error(&get(root, &format!("?suggested_only=true&from={from}")).await, 400, "M_INVALID_PARAM");
    assert_error(&get("!s1:one.test", &format!("?from={from}")).await, 400, "M_INVALID_PARAM");
    let path = format!("{V1}/rooms/{root}/hierarchy");
    assert_error(&as_nobody(&world, &path).await, 401, "M_MISSING_TOKEN");
    assert_error(&answer(world.request(Method::GET, &path, Some(GUEST_TOKEN))).await, 403, "M_GUEST_ACCESS_FORBIDDEN");
}

#[tokio::test]
async fn shared_rooms_are_those_that_both_are_in() {
    let world = World::new().await;
    world.add_user(BOB, BOB_TOKEN, account::Kind::User).await;
    for n in 0..102 {
        Room::with_id(&world, &format!("!{n:03}:one.test"), &[ALICE, BOB], json!({})).await;
    }
    let mut left = Room::with_id(&world, "!left:one.test", &[ALICE, BOB], json!({})).await;
    member(&world, &mut left, BOB, "leave").await;
    Room::with_id(&world, "!alone:one.test", &[ALICE], json!({})).await;
    Room::with_id(&world, "!his:one.test", &[BOB], json!({})).await;
    for base in [format!("{V1}/mutual_rooms"), format!("{UNSTABLE}/uk.half-shot.msc2666/user/mutual_rooms")] {
        let first = world.get(&format!("{base}?user_id={BOB}")).await.1;
        let joined = first["joined"].as_array().unwrap();
        assert_eq!((joined.len(), &joined[0], &first["count"]), (100, &json!("!000:one.test"), &json!(102)));
        let next = first["next_batch"].as_str().unwrap();
        let second = world.get(&format!("{base}?user_id={BOB}&from={next}")).await.1;
        assert_eq!(second, json!({"joined": ["!100:one.test", "!101:one.test"], "count": 102}));
        let nobody = world.get(&format!("{base}?user_id=@nobody:elsewhere.test")).await.1;
        assert_eq!(nobody, json!({"joined": [], "count": 0}));
        assert_error(&world.get(&base).await, 400, "M_MISSING_PARAM");
        for query in ["?user_id=nonsense", &format!("?user_id={ALICE}"), &format!("?user_id={BOB}&from=nonsense")] {
            assert_error(&world.get(&format!("{base}{query}")).await, 400, "M_INVALID_PARAM");
        }
    }
    let path = format!("{V1}/mutual_rooms?user_id={ALICE}");
    let theirs = answer(world.request(Method::GET, &path, Some(BOB_TOKEN))).await.1;
    assert_eq!(theirs["count"], 102);
    assert_error(&answer(world.request(Method::GET, &path, Some(GUEST_TOKEN))).await, 403, "M_GUEST_ACCESS_FORBIDDEN");
}
