//! An account with very many rooms: what a response reads depends on what it tells.

use serde_json::{Value, json};

use crate::{
    counted::{Counted, Reads},
    sliding::{ask, pos, rooms},
    world::{Worker, World},
};

const ME: &str = "@me:x";
const ZOE: &str = "@zoe:x";
const ROOMS: usize = 1_000;
const SHOWN: usize = 20;

async fn world() -> World {
    let mut world = World::new();
    for room in 0..ROOMS {
        let room = format!("!{room}:x");
        world.create(&room, ZOE).await;
        world.join(&room, ME).await;
        world.say(&room, ZOE, "hello").await;
    }
    world
}

/// What the room list of a mobile client asks first.
fn wish() -> Value {
    let state = [
        ["m.room.name", ""],
        ["m.room.encryption", ""],
        ["m.room.member", "$LAZY"],
        ["m.room.member", "$ME"],
        ["m.room.create", ""],
        ["m.space.child", "*"],
    ];
    let list = json!({"ranges": [[0, SHOWN - 1]], "timeline_limit": 1, "required_state": state});
    json!({"lists": {"all_rooms": list}, "extensions": {"account_data": {"enabled": true}, "to_device": {"enabled": true}}})
}

/// A worker without a tail, and what it reads.
fn late(world: &World) -> (Worker, Counted) {
    let counted = Counted::new(world.store.clone());
    let mut worker = world.worker_over(std::sync::Arc::new(counted.clone()));
    worker.begin_at_end(world);
    (worker, counted)
}

fn calls(reads: &Reads) -> usize {
    reads.values().map(|count| count.calls).sum()
}

#[tokio::test]
async fn the_first_answer_reads_the_rooms_it_shows_and_of_the_others_when_they_were_last_active() {
    let mut world = world().await;
    let (mut worker, counted) = late(&world);
    let first = worker.slide(&world, ask(ME, None, &wish())).await;
    assert_eq!((rooms(&first).len(), &first["lists"]["all_rooms"]["count"]), (SHOWN, &json!(ROOMS)));
    let reads = counted.take();
    assert!(reads["room_head"].rows <= ROOMS + SHOWN && reads["room_head"].calls <= 3, "{reads:?}");
    assert!(calls(&reads) <= SHOWN * 10 + 10, "{reads:?}");
    // What was read of the others holds for as long as the tail shows what changes them.
    let mut again = wish();
    again["conn_id"] = json!("another");
    worker.slide(&world, ask(ME, None, &again)).await;
    let reads = counted.take();
    assert!(reads["room_head"].rows <= SHOWN, "{reads:?}");
    // Who comes back to a worker whose tail does not reach so far back costs the heads, in batches, and the rooms that moved.
    let (mut worker, counted) = late(&world);
    let quiet = worker.slide(&world, ask(ME, Some(pos(&first)), &wish())).await;
    assert_eq!(rooms(&quiet), Vec::<&str>::new());
    let reads = counted.take();
    assert!(calls(&reads) <= 10, "{reads:?}");
    world.say("!7:x", ZOE, "news").await;
    let (mut worker, counted) = late(&world);
    let news = worker.slide(&world, ask(ME, Some(pos(&quiet)), &wish())).await;
    assert_eq!(rooms(&news), ["!7:x"]);
    let reads = counted.take();
    assert!(calls(&reads) <= 10 + 12, "{reads:?}");
}
