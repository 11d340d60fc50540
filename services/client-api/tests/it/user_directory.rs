//! Users whom somebody looks for.

use banyan_proto::users::{Account, ProfileChanged, account, user_entry::Kind};
use http::Method;
use serde_json::{Value, json};

use crate::{
    room::Room,
    world::{ALICE, GUEST_TOKEN, World, answer, assert_error},
};

const PATH: &str = "/_matrix/client/v3/user_directory/search";

/// Makes an account with a name.
async fn user(world: &World, user_id: &str, name: &str) {
    world.user_entry(user_id, Kind::Account(Account::default())).await;
    rename(world, user_id, "", name).await;
}

async fn rename(world: &World, user_id: &str, previous: &str, name: &str) {
    let json = |name: &str| if name.is_empty() { Vec::new().into() } else { json!(name).to_string().into_bytes().into() };
    let change = ProfileChanged { field: "displayname".to_owned(), value: json(name), previous: json(previous) };
    world.user_entry(user_id, Kind::Profile(change)).await;
}

async fn set_avatar(world: &World, user_id: &str, url: &str) {
    let value = json!(url).to_string().into_bytes().into();
    let change = ProfileChanged { field: "avatar_url".to_owned(), value, ..ProfileChanged::default() };
    world.user_entry(user_id, Kind::Profile(change)).await;
}

/// A room that anybody may join.
async fn public(world: &World, id: &str, members: &[&str]) -> Room {
    let mut room = Room::with_id(world, id, members, json!({})).await;
    room.add(world, "m.room.join_rules", Some(""), members[0], json!({"join_rule": "public"})).await;
    room
}

async fn search(world: &World, term: &str) -> Value {
    let (status, page) = world.post(PATH, json!({"search_term": term})).await;
    assert_eq!(status.as_u16(), 200, "{page}");
    page
}

async fn found(world: &World, term: &str) -> Vec<String> {
    ids(&search(world, term).await)
}

fn ids(page: &Value) -> Vec<String> {
    page["results"].as_array().unwrap().iter().map(|user| user["user_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn users_are_found_by_their_names_and_ids_in_any_case() {
    let world = World::new().await;
    let (bob, zoe) = ("@bob.builder:one.test", "@zoe:one.test");
    user(&world, bob, "Robért Müller").await;
    set_avatar(&world, bob, "mxc://one.test/bob").await;
    user(&world, zoe, "").await;
    Room::new(&world, &[ALICE, bob, zoe]).await;
    let whole = json!({"user_id": bob, "display_name": "Robért Müller", "avatar_url": "mxc://one.test/bob"});
    for term in
        ["robert", "ROB", "müll", "Muller Rob", "bob", "BUILDER", "@bob", "@bob.builder:one.test", "bob.builder:one", " robert "]
    {
        assert_eq!(search(&world, term).await, json!({"results": [whole], "limited": false}), "{term}");
    }
    assert_eq!(search(&world, "zoe").await, json!({"results": [{"user_id": zoe}], "limited": false}));
    for term in ["obert", "charles", "", " ", "@", "one", "alice", "rob charles"] {
        assert_eq!(search(&world, term).await, json!({"results": [], "limited": false}), "{term}");
    }
    rename(&world, bob, "Robért Müller", "Charles").await;
    assert_eq!((found(&world, "charles").await, found(&world, "robert").await), (vec![bob.to_owned()], Vec::new()));
    rename(&world, bob, "Charles", "").await;
    assert_eq!((found(&world, "charles").await, found(&world, "bob").await), (Vec::new(), vec![bob.to_owned()]));
}

#[tokio::test]
async fn users_are_seen_in_shared_and_in_public_rooms() {
    let world = World::new().await;
    let names = ["near", "joinable", "readable", "apart", "invited", "left", "former", "away"];
    let id = |name: &str| format!("@user-{name}:one.test");
    for name in names {
        user(&world, &id(name), &format!("Person {name}")).await;
    }
    let mut shared = Room::new(&world, &[ALICE, &id("near"), &id("left")]).await;
    shared.add(&world, "m.room.member", Some(&id("invited")), ALICE, json!({"membership": "invite"})).await;
    shared.add(&world, "m.room.member", Some(&id("left")), &id("left"), json!({"membership": "leave"})).await;
    let mut shut = public(&world, "!public:one.test", &[&id("joinable"), &id("former")]).await;
    shut.add(&world, "m.room.member", Some(&id("former")), &id("former"), json!({"membership": "leave"})).await;
    let mut readable = Room::with_id(&world, "!readable:one.test", &[&id("readable")], json!({})).await;
    let world_readable = json!({"history_visibility": "world_readable"});
    readable.add(&world, "m.room.history_visibility", Some(""), &id("readable"), world_readable).await;
    Room::with_id(&world, "!apart:one.test", &[&id("apart")], json!({})).await;
    let mut left = Room::with_id(&world, "!left:one.test", &[&id("away"), ALICE], json!({})).await;
    left.add(&world, "m.room.member", Some(ALICE), ALICE, json!({"membership": "leave"})).await;

    let expected = [id("near"), id("joinable"), id("readable")];
    assert_eq!(found(&world, "@user").await, expected, "whom one has to do with first");
    assert_eq!(found(&world, "person").await, expected);
    for nobody in ["apart", "invited", "left", "former", "away"] {
        assert!(found(&world, nobody).await.is_empty(), "{nobody}");
        assert!(found(&world, &id(nobody)).await.is_empty(), "{nobody}");
    }
    shut.add(&world, "m.room.join_rules", Some(""), &id("joinable"), json!({"join_rule": "invite"})).await;
    assert!(found(&world, "joinable").await.is_empty());
}

#[tokio::test]
async fn a_name_that_somebody_has_in_a_room_is_not_told() {
    let world = World::new().await;
    let bob = "@bob:one.test";
    user(&world, bob, "Bob").await;
    let mut room = Room::new(&world, &[ALICE, bob]).await;
    room.add(&world, "m.room.member", Some(bob), bob, json!({"membership": "join", "displayname": "Freddy"})).await;
    assert!(found(&world, "freddy").await.is_empty());
    assert_eq!(search(&world, "bob").await["results"], json!([{"user_id": bob, "display_name": "Bob"}]));
}

#[tokio::test]
async fn accounts_that_are_gone_or_locked_and_guests_are_not_shown() {
    let world = World::new().await;
    let accounts = [
        ("here", Account::default()),
        ("gone", Account { deactivated: true, ..Account::default() }),
        ("locked", Account { locked: true, ..Account::default() }),
        ("suspended", Account { suspended: true, ..Account::default() }),
        ("guest", Account { kind: account::Kind::Guest.into(), ..Account::default() }),
    ];
    for (name, account) in accounts {
        let user_id = format!("@person-{name}:one.test");
        user(&world, &user_id, "Person").await;
        world.user_entry(&user_id, Kind::Account(account)).await;
        public(&world, &format!("!{name}:one.test"), &[&user_id]).await;
    }
    let all = ["@person-here:one.test", "@person-suspended:one.test"];
    assert_eq!(
        (found(&world, "person").await, found(&world, "@person").await),
        (all.map(str::to_owned).to_vec(), all.map(str::to_owned).to_vec())
    );
}

#[tokio::test]
async fn users_of_other_tenants_are_seen_where_both_are() {
    let world = World::new().await;
    let (carol, dora) = ("@carol:two.test", "@dora:two.test");
    user(&world, carol, "Person").await;
    user(&world, dora, "Person").await;
    // The first tenant knows nothing of this room.
    let mut apart = public(&world, "!two:two.test", &[carol, dora]).await;
    assert!(found(&world, "person").await.is_empty());
    apart.add(&world, "m.room.member", Some("@other:one.test"), "@other:one.test", json!({"membership": "join"})).await;
    assert_eq!(found(&world, "person").await, [carol, dora]);
    Room::new(&world, &[ALICE, dora]).await;
    assert_eq!(found(&world, "person").await, [dora, carol]);
}

#[tokio::test]
async fn the_best_come_first_and_the_rest_is_said_to_be_left_out() {
    let world = World::new().await;
    let mut members = vec![ALICE.to_owned()];
    for n in 0..12 {
        let user_id = format!("@annabel{n:02}:one.test");
        user(&world, &user_id, "").await;
        members.push(user_id);
    }
    user(&world, "@x:one.test", "Ann").await;
    members.push("@x:one.test".to_owned());
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    Room::new(&world, &members).await;
    let page = search(&world, "ann").await;
    assert_eq!((ids(&page).len(), ids(&page)[0].as_str(), &page["limited"]), (10, "@x:one.test", &json!(true)));
    let page = async |limit: usize| world.post(PATH, json!({"search_term": "ann", "limit": limit})).await.1;
    assert_eq!((ids(&page(13).await).len(), &page(13).await["limited"]), (13, &json!(false)));
    assert_eq!((ids(&page(12).await).len(), &page(12).await["limited"]), (12, &json!(true)));
    assert_eq!((ids(&page(0).await).len(), &page(0).await["limited"]), (0, &json!(true)));
}

#[tokio::test]
async fn people_around_are_found_among_any_number_of_the_same_name() {
    let world = World::new().await;
    for n in 0..700 {
        user(&world, &format!("@sam{n:03}:one.test"), "Sam").await;
    }
    user(&world, "@zz-friend:one.test", "Sam").await;
    let mut room = Room::new(&world, &[ALICE]).await;
    let content = json!({"membership": "join", "displayname": "Sam"});
    room.add(&world, "m.room.member", Some("@zz-friend:one.test"), "@zz-friend:one.test", content).await;
    let page = search(&world, "sam").await;
    assert_eq!((ids(&page), &page["limited"]), (vec!["@zz-friend:one.test".to_owned()], &json!(true)));
}

#[tokio::test]
async fn nonsense_has_the_specified_errors() {
    let world = World::new().await;
    for body in
        [json!({}), json!({"search_term": 3}), json!({"search_term": "a", "limit": -1}), json!({"search_term": "a", "limit": "x"})]
    {
        assert_error(&world.post(PATH, body).await, 400, "M_BAD_JSON");
    }
    let body = json!({"search_term": "a"});
    assert_error(&world.post_as(None, PATH, body.clone()).await, 401, "M_MISSING_TOKEN");
    assert_error(&world.post_as(Some(GUEST_TOKEN), PATH, body).await, 403, "M_GUEST_ACCESS_FORBIDDEN");
    let nobody = answer(world.request(Method::POST, PATH, None).body("")).await;
    assert_error(&nobody, 401, "M_MISSING_TOKEN");
}
