//! Rooms that users are not in any more.

use banyan_sync::app::sync::Request;
use serde_json::json;

use crate::{
    rooms::{member, state as set},
    world::{World, request, since, state, timeline, token},
};

const ROOM: &str = "!room:x";
const ALICE: &str = "@alice:x";
const BOB: &str = "@bob:x";

async fn world() -> World {
    let mut world = World::new();
    world.create(ROOM, ALICE).await;
    world.join(ROOM, BOB).await;
    world
}

fn include_leave(request: Request) -> Request {
    Request { filter: r#"{"room":{"include_leave":true}}"#.into(), ..request }
}

#[tokio::test]
async fn a_room_that_was_left_is_told_up_to_the_leave() {
    let mut world = world().await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    let said = world.say(ROOM, ALICE, "bye").await;
    let leave = world.send(ROOM, BOB, member(BOB, "leave")).await;
    world.say(ROOM, ALICE, "he is gone").await;
    let mut late = world.worker();
    late.begin_at_end(&world);
    for worker in [&mut worker, &mut late] {
        let body = worker.sync(&world, since(BOB, &first)).await;
        assert!(timeline(&body, "leave", ROOM).ends_with(&[said.as_str(), leave.as_str()]));
        assert_eq!(body["rooms"]["join"], json!({}));
        assert!(!body.to_string().contains("he is gone"));
        let second = token(&body).to_owned();
        assert_eq!(worker.sync(&world, since(BOB, &second)).await["rooms"]["leave"], json!({}));
    }
    assert_eq!(worker.sync(&world, request(BOB)).await["rooms"]["leave"], json!({}));
    let body = worker.sync(&world, include_leave(request(BOB))).await;
    assert!(timeline(&body, "leave", ROOM).ends_with(&[said.as_str(), leave.as_str()]));
    assert!(!body.to_string().contains("he is gone"));
}

#[tokio::test]
async fn a_left_room_has_the_state_at_the_leave() {
    let mut world = world().await;
    let name = world.send(ROOM, ALICE, set("m.room.name", "", json!({"name": "then"}))).await;
    for n in 0..12 {
        world.say(ROOM, ALICE, &n.to_string()).await;
    }
    world.send(ROOM, ALICE, member(BOB, "leave")).await;
    world.send(ROOM, ALICE, set("m.room.name", "", json!({"name": "later"}))).await;
    let body = world.worker().sync(&world, include_leave(request(BOB))).await;
    assert_eq!(timeline(&body, "leave", ROOM).len(), 10);
    assert!(state(&body, "leave", ROOM).contains(&name.as_str()));
    assert!(!body.to_string().contains("later"));
    let after = Request { state_after: true, ..include_leave(request(BOB)) };
    let body = world.worker().sync(&world, after).await;
    let state = body["rooms"]["leave"][ROOM]["state_after"]["events"].as_array().unwrap();
    let own = state.iter().find(|event| event["state_key"] == BOB).unwrap();
    assert_eq!(own["content"]["membership"], "leave");
}

#[tokio::test]
async fn who_was_kicked_or_banned_is_told_without_asking() {
    let mut world = world().await;
    world.send(ROOM, ALICE, member(BOB, "ban")).await;
    let body = world.worker().sync(&world, request(BOB)).await;
    assert!(body["rooms"]["leave"].get(ROOM).is_some());
}

#[tokio::test]
async fn an_invite_that_came_to_nothing_tells_its_end_alone() {
    let mut world = world().await;
    let mut worker = world.worker();
    world.send(ROOM, ALICE, member("@carol:x", "invite")).await;
    let first = token(&worker.sync(&world, request("@carol:x")).await).to_owned();
    world.say(ROOM, ALICE, "unseen").await;
    let end = world.send(ROOM, "@carol:x", member("@carol:x", "leave")).await;
    let body = worker.sync(&world, since("@carol:x", &first)).await;
    assert_eq!(timeline(&body, "leave", ROOM), [end.as_str()]);
    assert_eq!(state(&body, "leave", ROOM), Vec::<&str>::new());
}

#[tokio::test]
async fn a_kick_and_then_a_ban_hides_what_lies_between() {
    let mut world = world().await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    let kick = world.send(ROOM, ALICE, member(BOB, "leave")).await;
    world.say(ROOM, ALICE, "unseen").await;
    let ban = world.send(ROOM, ALICE, member(BOB, "ban")).await;
    let body = worker.sync(&world, since(BOB, &first)).await;
    assert_eq!(timeline(&body, "leave", ROOM), [kick.as_str(), ban.as_str()]);
}

#[tokio::test]
async fn coming_back_tells_the_room_anew() {
    let mut world = world().await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    world.send(ROOM, BOB, member(BOB, "leave")).await;
    let join = world.join(ROOM, BOB).await;
    let body = worker.sync(&world, since(BOB, &first)).await;
    assert_eq!(body["rooms"]["leave"], json!({}));
    assert_eq!(body["rooms"]["join"][ROOM]["timeline"]["limited"], true);
    assert!(timeline(&body, "join", ROOM).ends_with(&[join.as_str()]));
}

fn filtered(request: Request, timeline: &str) -> Request {
    Request { filter: format!(r#"{{"room":{{"include_leave":true,"timeline":{timeline}}}}}"#).into(), ..request }
}

#[tokio::test]
async fn the_timeline_filter_holds_for_the_leave_too_and_the_state_has_it_then() {
    let mut world = world().await;
    let mut worker = world.worker();
    let first = token(&worker.sync(&world, request(BOB)).await).to_owned();
    let said = world.say(ROOM, ALICE, "bye").await;
    let name = world.send(ROOM, ALICE, set("m.room.name", "", json!({"name": "then"}))).await;
    let leave = world.send(ROOM, BOB, member(BOB, "leave")).await;
    world.send(ROOM, ALICE, set("m.room.name", "", json!({"name": "later"}))).await;
    let types = r#"{"types":["m.room.message","m.room.name"]}"#;
    for asked in [filtered(request(BOB), types), filtered(since(BOB, &first), types)] {
        let body = worker.sync(&world, asked).await;
        assert_eq!(timeline(&body, "leave", ROOM), [said.as_str(), name.as_str()]);
        assert!(state(&body, "leave", ROOM).contains(&leave.as_str()));
    }
    for asked in [filtered(request(BOB), r#"{"limit":0}"#), filtered(since(BOB, &first), r#"{"limit":0}"#)] {
        let body = worker.sync(&world, asked).await;
        assert_eq!(timeline(&body, "leave", ROOM), Vec::<&str>::new());
        let state = state(&body, "leave", ROOM);
        assert!(state.contains(&leave.as_str()) && state.contains(&name.as_str()), "{body}");
    }
}

#[tokio::test]
async fn an_end_that_the_timeline_does_not_take_is_in_the_state() {
    let mut world = world().await;
    let mut worker = world.worker();
    world.send(ROOM, ALICE, member("@carol:x", "invite")).await;
    let [carol, bob] = ["@carol:x", BOB].map(request);
    let carol = token(&worker.sync(&world, carol).await).to_owned();
    let bob = token(&worker.sync(&world, bob).await).to_owned();
    let refused = world.send(ROOM, "@carol:x", member("@carol:x", "leave")).await;
    world.send(ROOM, ALICE, member(BOB, "leave")).await;
    let ban = world.send(ROOM, ALICE, member(BOB, "ban")).await;
    let none = r#"{"not_types":["m.room.member"]}"#;
    for (user, token, end) in [("@carol:x", carol, refused), (BOB, bob, ban)] {
        for asked in [filtered(request(user), none), filtered(since(user, &token), none)] {
            let body = worker.sync(&world, asked).await;
            assert!(!timeline(&body, "leave", ROOM).contains(&end.as_str()));
            let own = body["rooms"]["leave"][ROOM]["state"]["events"].as_array().unwrap();
            let own: Vec<_> = own.iter().filter(|event| event["state_key"] == user).collect();
            assert_eq!((own.len(), &own[0]["event_id"]), (1, &json!(end)), "{body}");
        }
    }
}
