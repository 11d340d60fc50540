//! Aliases, and the canonical one.

use serde_json::json;

use crate::world::{World, errcode};

const ALICE: &str = "@alice:one.test";
const BOB: &str = "@bob:one.test";

#[tokio::test]
async fn an_alias_means_one_room_until_it_is_released() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({})).await.unwrap();
    let other = world.create(BOB, json!({})).await.unwrap();
    world.claim(ALICE, "#a:one.test", &room).await.unwrap();
    world.claim(ALICE, "#a:one.test", &room).await.unwrap();
    assert_eq!(errcode(world.claim(BOB, "#a:one.test", &other).await), "M_ROOM_IN_USE");
    assert_eq!(errcode(world.claim(BOB, "#a:one.test", &room).await), "M_ROOM_IN_USE");
    let row = world.reader.alias("#a:one.test".try_into().unwrap()).await.unwrap().unwrap();
    assert_eq!((row.room_id, row.creator), (room.to_string(), ALICE.to_owned()));
    assert_eq!(world.reader.aliases_of(&room).await.unwrap().len(), 1);
    assert_eq!(errcode(world.release(ALICE, "#a:one.test", &other).await), "M_NOT_FOUND");
    world.release(ALICE, "#a:one.test", &room).await.unwrap();
    assert!(world.reader.alias("#a:one.test".try_into().unwrap()).await.unwrap().is_none());
    assert!(world.reader.aliases_of(&room).await.unwrap().is_empty());
    world.claim(BOB, "#a:one.test", &other).await.unwrap();
}

#[tokio::test]
async fn a_canonical_alias_must_mean_the_room() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({})).await.unwrap();
    let other = world.create(ALICE, json!({})).await.unwrap();
    world.claim(ALICE, "#here:one.test", &room).await.unwrap();
    world.claim(ALICE, "#there:one.test", &other).await.unwrap();
    let set = |content| world.set(ALICE, &room, "m.room.canonical_alias", "", content);
    set(json!({"alias": "#here:one.test"})).await.unwrap();
    assert_eq!(errcode(set(json!({"alias": "#there:one.test"})).await), "M_BAD_ALIAS");
    assert_eq!(errcode(set(json!({"alias": "#nowhere:one.test"})).await), "M_BAD_ALIAS");
    assert_eq!(errcode(set(json!({"alt_aliases": ["#here:one.test", "#there:one.test"]})).await), "M_BAD_ALIAS");
    assert_eq!(errcode(set(json!({"alias": "here"})).await), "M_INVALID_PARAM");
    assert_eq!(errcode(set(json!({"alt_aliases": "#here:one.test"})).await), "M_INVALID_PARAM");
    // What stands there already may stay, though the alias is gone by now.
    world.release(ALICE, "#here:one.test", &room).await.unwrap();
    set(json!({"alias": "#here:one.test", "x": 1})).await.unwrap();
    set(json!({})).await.unwrap();
    assert_eq!(errcode(set(json!({"alias": "#here:one.test"})).await), "M_BAD_ALIAS");
}
