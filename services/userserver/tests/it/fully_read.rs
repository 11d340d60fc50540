//! The fully-read marker.

use banyan_core::ServiceError;
use banyan_proto::userserver::MoveFullyReadRequest;

use crate::world::{Process, World, answer, refusal};

const ALICE: &str = "@alice:example.org";
const ROOM: &str = "!room:example.org";

fn request(world: &World, event_id: &str, place: (i64, i64)) -> MoveFullyReadRequest {
    let (arrival, sub) = place;
    MoveFullyReadRequest { caller: world.caller(ALICE), room_id: ROOM.to_owned(), event_id: event_id.to_owned(), arrival, sub }
}

async fn set(process: &Process, request: MoveFullyReadRequest) -> Result<(), ServiceError> {
    answer(process.client.clone().move_fully_read(request).await).map(|_| ())
}

/// The marker and the position of its entry.
async fn marker(process: &Process) -> (String, u64) {
    let data = process.reader().account_data(ALICE, Some(ROOM), "m.fully_read").await.expect("read").expect("the marker");
    (String::from_utf8(data.content.to_vec()).expect("text"), data.seq)
}

#[tokio::test]
async fn it_moves_forward_in_the_order_of_the_timeline_and_never_back() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    let first = request(&world, "$b", (5, -1));
    set(&process, first.clone()).await.expect("set");
    let (content, seq) = marker(&process).await;
    assert_eq!(content, r#"{"event_id":"$b"}"#);
    for (event, place) in [("$b", (5, -1)), ("$a", (5, -2)), ("$z", (4, 0))] {
        set(&process, request(&world, event, place)).await.expect("well, though nothing moves");
        assert_eq!(marker(&process).await, (content.clone(), seq));
    }
    set(&process, request(&world, "$c", (5, 0))).await.expect("set");
    assert_eq!(marker(&process).await.0, r#"{"event_id":"$c"}"#);
    set(&process, first).await.expect("a retry");
    assert_eq!(marker(&process).await.0, r#"{"event_id":"$c"}"#);
}

#[tokio::test]
async fn nobody_has_none() {
    let world = World::new();
    let process = world.owner("a").await;
    assert_eq!(refusal(set(&process, request(&world, "$a", (1, 0))).await).0, "M_NOT_FOUND");
}
