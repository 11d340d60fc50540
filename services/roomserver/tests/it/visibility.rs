//! Who may see what, on stored rooms: people who came and went under every setting, against a model that reads the definitions.

use banyan_core::{Entropy, SeededEntropy};
use banyan_proto::roomserver::change_membership_request::Action;
use banyan_rooms::{
    RoomPlace,
    reader::{Direction, TimelineQuery},
    visibility::{Access, VisibilityFilter},
};
use serde_json::{Value, json};

use crate::world::World;

const ADMIN: &str = "@admin:one.test";
const USER: &str = "@user:two.test";
const STEPS: usize = 60;

struct Seen {
    event_id: String,
    /// (setting, membership) before and after.
    before: (String, String),
    after: (String, String),
}

/// Walks at random; answers each event with the setting and the membership around it.
async fn walk(world: &World, room: &ruma::RoomId, seed: u64) -> Vec<Seen> {
    let random = SeededEntropy::new(seed);
    let mut now = ("shared".to_owned(), "leave".to_owned());
    let mut seen = Vec::new();
    for step in 0..STEPS {
        let before = now.clone();
        let event_id = match random.next_u64() % 8 {
            0 => {
                let setting = ["shared", "invited", "joined", "world_readable"][usize::try_from(random.next_u64() % 4).unwrap()];
                now.0 = setting.to_owned();
                let content = json!({"history_visibility": setting, "step": step});
                world.set(ADMIN, room, "m.room.history_visibility", "", content).await
            }
            1 | 2 => change(world, room, USER, Action::Join, "join", &mut now).await,
            3 => change(world, room, USER, Action::Leave, "leave", &mut now).await,
            4 => change(world, room, ADMIN, Action::Invite, "invite", &mut now).await,
            5 if step % 3 == 0 => change(world, room, ADMIN, Action::Ban, "ban", &mut now).await,
            5 => change(world, room, ADMIN, Action::Unban, "leave", &mut now).await,
            _ => world.message(ADMIN, room, &step.to_string()).await,
        };
        if let Ok(event_id) = event_id
            && seen.iter().all(|other: &Seen| other.event_id != event_id)
        {
            seen.push(Seen { event_id, before, after: now.clone() });
        }
    }
    seen
}

async fn change(
    world: &World,
    room: &ruma::RoomId,
    sender: &str,
    action: Action,
    membership: &str,
    now: &mut (String, String),
) -> Result<String, banyan_core::ServiceError> {
    let answer = world.act(sender, action, USER, room).await?;
    now.1 = membership.to_owned();
    Ok(answer)
}

fn model(walk: &[Seen], index: usize) -> bool {
    let joins_later = walk[index + 1..].iter().any(|step| step.after.1 == "join" && step.before.1 != "join");
    let allowed = |(setting, membership): &(String, String)| match setting.as_str() {
        "world_readable" => true,
        "invited" => membership == "join" || membership == "invite",
        "joined" => membership == "join",
        _ => membership == "join" || joins_later,
    };
    allowed(&walk[index].before) || allowed(&walk[index].after)
}

#[tokio::test]
async fn stored_events_are_seen_as_the_definitions_say() {
    let world = World::new().await;
    for seed in 0..12 {
        let room = world.create(ADMIN, json!({"preset": "public_chat"})).await.unwrap();
        let walk = walk(&world, &room, seed).await;
        let query = TimelineQuery { from: RoomPlace::END, to: None, direction: Direction::Backward, limit: 1000 };
        let events = world.reader.timeline(&room, query).await.unwrap().events;
        let mut filter = VisibilityFilter::new(world.reader.clone(), room.clone(), USER.try_into().unwrap());
        let mut visible = filter.filter(events.clone()).await.unwrap();
        for (index, step) in walk.iter().enumerate() {
            let event = events.iter().find(|event| event.event_id == step.event_id).unwrap();
            let pdu: Value = serde_json::from_slice(&event.pdu).unwrap();
            let own = pdu["type"] == "m.room.history_visibility" || pdu["state_key"] == USER;
            let found = visible.iter().find(|visible| visible.event.event_id == step.event_id);
            assert_eq!(found.is_some(), model(&walk, index), "seed {seed}, step {index}: {pdu}");
            assert!(own || step.before == step.after);
            if let Some(found) = found {
                assert_eq!(found.membership.as_str(), step.after.1, "seed {seed}, step {index}");
            }
        }
        // One event at a time gives the same.
        for event in events.iter().step_by(5) {
            let mut alone = VisibilityFilter::new(world.reader.clone(), room.clone(), USER.try_into().unwrap());
            let sees = alone.sees(event).await.unwrap().is_some();
            assert_eq!(sees, visible.iter().any(|visible| visible.event.event_id == event.event_id));
        }
        visible.clear();
    }
}

#[tokio::test]
async fn a_room_is_looked_into_as_far_as_one_was_in_it() {
    let world = World::new().await;
    let room = world.create(ADMIN, json!({"preset": "public_chat"})).await.unwrap();
    let access = || async { world.reader.access(&room, USER.try_into().unwrap()).await.unwrap() };
    assert_eq!(access().await, Access::None);
    world.act(ADMIN, Action::Invite, USER, &room).await.unwrap();
    assert_eq!(access().await, Access::None);
    world.leave(USER, &room).await;
    assert_eq!(access().await, Access::None);
    world.join(USER, &room).await;
    assert_eq!(access().await, Access::Joined);
    let left = world.act(USER, Action::Leave, USER, &room).await.unwrap();
    let place = world.reader.event(&room, left.as_str().try_into().unwrap()).await.unwrap().unwrap().place.unwrap();
    world.set(ADMIN, &room, "m.room.name", "", json!({"name": "later"})).await.unwrap();
    assert_eq!(access().await, Access::Left(place));
    world.act(ADMIN, Action::Invite, USER, &room).await.unwrap();
    world.act(ADMIN, Action::Kick, USER, &room).await.unwrap();
    assert_eq!(access().await, Access::Left(place));
    world.forget(USER, &room).await.unwrap();
    assert_eq!(access().await, Access::None);
    world.set(ADMIN, &room, "m.room.history_visibility", "", json!({"history_visibility": "world_readable"})).await.unwrap();
    assert_eq!(access().await, Access::WorldReadable);
}
