//! Random histories, windows and configurations, lost responses and changes of workers: a client that applies what it is told holds the
//! state it asks for and the end of the timeline, in the end.

use std::collections::{BTreeMap, BTreeSet};

use banyan_runtime::config::HumanDuration;
use proptest::{
    prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest},
    test_runner::RngSeed,
};
use serde_json::{Value, json};

use crate::{
    model::{may_see, membership_in},
    rooms::{Key, Send, member, message, state as set},
    sliding::{ask, pos},
    world::{Worker, World, ids},
};

const ROOMS: [&str; 3] = ["!one:x", "!two:x", "!three:y"];
const ME: &str = "@me:x";
const OTHERS: [&str; 2] = ["@bob:y", "@carol:x"];
const ZOE: &str = "@zoe:x";
const STATES: [&[[&str; 2]]; 4] = [
    &[["m.room.name", ""], ["m.room.member", "$LAZY"], ["m.room.member", "$ME"]],
    &[["m.room.name", ""], ["m.room.topic", ""], ["m.room.member", "*"]],
    &[["*", "*"], ["m.room.member", "$LAZY"]],
    &[["*", ""]],
];

/// What a client asks for.
#[derive(Clone, Debug)]
struct Wish {
    last: u64,
    limit: u64,
    state: usize,
    subscribed: Option<usize>,
}

#[derive(Clone, Debug)]
enum Step {
    Member(usize, &'static str, &'static str),
    Message(usize, usize),
    State(usize, &'static str),
    Overruled(usize),
    SoftFailed(usize),
    Flip(usize, usize),
    Remove(usize, &'static str),
    Redact(usize, usize),
    Gap(usize),
    /// Push rules were checked on all events of each room but those of so many last entries.
    Judged(u64),
    Deliver(usize, usize, usize),
    Sync {
        worker: usize,
        lost: bool,
        wish: Option<Wish>,
    },
}

fn wishes() -> impl Strategy<Value = Wish> {
    let limit = prop_oneof![1 => Just(0_u64), 2 => Just(1), 2 => Just(4)];
    let subscribed = prop_oneof![2 => Just(None), 1 => (0..3_usize).prop_map(Some)];
    (0..3_u64, limit, 0..STATES.len(), subscribed).prop_map(|(last, limit, state, subscribed)| Wish {
        last,
        limit,
        state,
        subscribed,
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let user = prop_oneof![3 => Just(ME), 2 => Just(OTHERS[0]), 2 => Just(OTHERS[1])];
    let membership = prop_oneof![4 => Just("join"), 2 => Just("leave"), 1 => Just("invite"), 1 => Just("kick"), 1 => Just("ban")];
    let kind = prop_oneof![Just("m.room.name"), Just("m.room.topic")];
    let wish = prop_oneof![2 => Just(None), 1 => wishes().prop_map(Some)];
    let step = prop_oneof![
        7 => (0..3_usize, user, membership).prop_map(|(room, user, membership)| Step::Member(room, user, membership)),
        8 => (0..3_usize, 0..3_usize).prop_map(|(room, user)| Step::Message(room, user)),
        3 => (0..3_usize, kind).prop_map(|(room, kind)| Step::State(room, kind)),
        1 => (0..3_usize).prop_map(Step::Overruled),
        1 => (0..3_usize).prop_map(Step::SoftFailed),
        1 => (0..3_usize, any::<usize>()).prop_map(|(room, which)| Step::Flip(room, which)),
        1 => (0..3_usize, prop_oneof![Just("m.room.name"), Just("m.room.topic")]).prop_map(|(room, kind)| Step::Remove(room, kind)),
        1 => (0..3_usize, any::<usize>()).prop_map(|(room, which)| Step::Redact(room, which)),
        1 => (0..3_usize).prop_map(Step::Gap),
        8 => (0..3_u64).prop_map(Step::Judged),
        8 => (0..2_usize, 0..8_usize, 1..6_usize).prop_map(|(worker, log, most)| Step::Deliver(worker, log, most)),
        9 => (0..2_usize, any::<bool>(), wish).prop_map(|(worker, lost, wish)| Step::Sync { worker, lost, wish }),
    ];
    proptest::collection::vec(step, 1..70)
}

/// Whether a configuration asks for a key of the state; `told`: if it is a member who was told lazily.
fn takes(state: &[[&str; 2]], (kind, key): &Key, told: bool) -> bool {
    let has = |kind: &str, key: &str| state.contains(&[kind, key]);
    let (member, lazy) = (kind == "m.room.member", has("m.room.member", "$LAZY"));
    has(kind, key)
        || has(kind, "*")
        || has("*", key)
        || (has("*", "*") && !(lazy && member))
        || (member && key == ME && has(kind, "$ME"))
        || (member && lazy && told)
}

#[derive(Clone, Debug, Default)]
struct ClientRoom {
    state: BTreeMap<Key, String>,
    /// Since the last hole; `None`: without one being asked for.
    timeline: Vec<String>,
}

/// A client that believes what it is told.
#[derive(Clone, Debug, Default)]
struct Client {
    pos: Option<String>,
    joined: BTreeMap<String, ClientRoom>,
    invited: BTreeSet<String>,
}

impl Client {
    fn take(&mut self, body: &Value, wish: &Wish) {
        self.pos = Some(pos(body).to_owned());
        for (id, told) in body["rooms"].as_object().unwrap() {
            match told["membership"].as_str().unwrap() {
                "join" => {
                    self.invited.remove(id);
                    self.joined.entry(id.clone()).or_default().take(told, wish);
                }
                "invite" => {
                    self.joined.remove(id);
                    self.invited.insert(id.clone());
                }
                _ => {
                    self.joined.remove(id);
                    self.invited.remove(id);
                }
            }
        }
    }
}

impl ClientRoom {
    fn take(&mut self, told: &Value, wish: &Wish) {
        if told["initial"] == true {
            *self = Self::default();
        }
        let state = STATES[wish.state];
        // What is not asked for is not told of any more.
        self.state.retain(|key, _| takes(state, key, true));
        if told["limited"] == true && state.contains(&["m.room.member", "$LAZY"]) {
            let asked = |member: &str| member == ME && state.contains(&["m.room.member", "$ME"]);
            self.state.retain(|(kind, member), _| kind != "m.room.member" || asked(member));
        }
        if told["limited"] == true || told["unstable_expanded_timeline"] == true {
            self.timeline.clear();
        }
        for event in told["required_state"].as_array().into_iter().flatten() {
            let text = |name: &str| event[name].as_str().unwrap().to_owned();
            let key = (text("type"), text("state_key"));
            if event.get("content").is_some() {
                self.state.insert(key, text("event_id"));
            } else {
                self.state.remove(&key);
            }
        }
        for event in told["timeline"].as_array().into_iter().flatten() {
            let id = event["event_id"].as_str().unwrap().to_owned();
            assert!(!self.timeline.contains(&id), "{id} came twice");
            self.timeline.push(id);
        }
        let lazy = state.contains(&["m.room.member", "$LAZY"]);
        for event in told["timeline"].as_array().into_iter().flatten().filter(|_| lazy) {
            let sender = ("m.room.member".to_owned(), event["sender"].as_str().unwrap().to_owned());
            assert!(self.state.contains_key(&sender), "{sender:?} cannot be shown");
        }
        let live = usize::try_from(told["num_live"].as_u64().unwrap_or(0)).unwrap();
        assert!(live <= ids(&told["timeline"]).len());
    }
}

struct Run {
    world: World,
    workers: [Worker; 2],
    client: Client,
    wish: Wish,
}

impl Run {
    async fn new() -> Self {
        let mut world = World::new();
        world.config.unread_wait = HumanDuration::secs(1);
        for room in ROOMS {
            world.create(room, ZOE).await;
        }
        let workers = [world.worker(), world.worker()];
        let wish = Wish { last: 1, limit: 1, state: 0, subscribed: None };
        Self { world, workers, client: Client::default(), wish }
    }

    fn body(&self) -> Value {
        let Wish { last, limit, state, subscribed } = self.wish;
        let config = json!({"timeline_limit": limit, "required_state": STATES[state]});
        let mut list = config.clone();
        list["ranges"] = json!([[0, last]]);
        let mut body = json!({"lists": {"a": list}});
        if let Some(room) = subscribed {
            body["room_subscriptions"] = json!({ROOMS[room]: config});
        }
        body
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Member(room, user, membership) => self.member(ROOMS[room], user, membership).await,
            Step::Message(room, user) => {
                let user = [ZOE, OTHERS[0], OTHERS[1]][user];
                if membership_in(&self.world.rooms[ROOMS[room]].current, &self.world.rooms[ROOMS[room]], user) == "join" {
                    let count = self.world.rooms[ROOMS[room]].events.len();
                    self.world.say(ROOMS[room], user, &count.to_string()).await;
                }
            }
            Step::State(room, kind) => {
                let count = self.world.rooms[ROOMS[room]].events.len();
                self.world.send(ROOMS[room], ZOE, set(kind, "", json!({"name": count.to_string()}))).await;
            }
            Step::Overruled(room) => {
                let loser = Send { overruled: true, ..set("m.room.name", "", json!({"name": "overruled"})) };
                self.world.send(ROOMS[room], ZOE, loser).await;
            }
            Step::SoftFailed(room) => {
                self.world.send(ROOMS[room], ZOE, Send { soft_failed: true, ..message("soft-failed") }).await;
            }
            Step::Flip(room, which) => {
                let named = |key: &Key| key.0 == "m.room.name" || key.0 == "m.room.topic";
                let events = self.world.rooms[ROOMS[room]].events.iter();
                let events: Vec<_> = events.filter(|event| event.key.as_ref().is_some_and(named)).collect();
                if !events.is_empty() {
                    let id = events[which % events.len()].id.clone();
                    self.world.flip(ROOMS[room], &id).await;
                }
            }
            Step::Remove(room, kind) => {
                let key = (kind.to_owned(), String::new());
                if self.world.rooms[ROOMS[room]].current.contains_key(&key) {
                    self.world.remove(ROOMS[room], &key).await;
                }
            }
            Step::Redact(room, which) => {
                let events = self.world.rooms[ROOMS[room]].events.iter();
                let events: Vec<_> = events.filter(|event| event.pdu["content"]["body"].is_string() && !event.hidden).collect();
                if !events.is_empty() {
                    let id = events[which % events.len()].id.clone();
                    self.world.redact(ROOMS[room], ZOE, &id).await;
                }
            }
            Step::Gap(room) => self.world.gap(ROOMS[room]).await,
            Step::Judged(but) => self.judged(but).await,
            Step::Deliver(worker, log, most) => {
                let log = self.world.all_logs()[log];
                self.workers[worker].deliver(&self.world, log, most);
            }
            Step::Sync { worker, lost, wish } => {
                if let Some(wish) = wish {
                    self.wish = wish;
                }
                let body = self.sync(worker).await;
                if !lost {
                    self.client.take(&body, &self.wish);
                }
            }
        }
    }

    async fn member(&mut self, room: &str, user: &str, membership: &str) {
        let now = membership_in(&self.world.rooms[room].current, &self.world.rooms[room], user).to_owned();
        let (allowed, sender, membership) = match membership {
            "join" => (now != "ban", user, "join"),
            "invite" => (now == "leave", ZOE, "invite"),
            "leave" => (now == "join" || now == "invite", user, "leave"),
            "kick" => (now != "leave", ZOE, "leave"),
            _ => (now != "ban", ZOE, "ban"),
        };
        if allowed {
            self.world.send(room, sender, member(user, membership)).await;
        }
    }

    async fn judged(&mut self, but: u64) {
        for room in ROOMS {
            self.world.judged(room, but).await;
        }
    }

    /// A response, for which the worker takes in what it needs.
    async fn sync(&mut self, worker: usize) -> Value {
        let request = ask(ME, self.client.pos.as_deref(), &self.body());
        let (worker, world) = (&mut self.workers[worker], &self.world);
        let sliding = worker.sliding.clone();
        let mut answer = std::pin::pin!(crate::world::collect(async |sink| sliding.sync(request, sink).await));
        for _ in 0..100 {
            if let std::task::Poll::Ready(body) = futures::poll!(answer.as_mut()) {
                return body.unwrap();
            }
            tokio::task::yield_now().await;
        }
        worker.catch_up(world);
        answer.await.unwrap()
    }

    /// `rows`: the last answer came from rows, which cannot tell what was removed unless it is asked for by its key.
    fn check(&self, client: &Client, rows: bool) {
        let with = |membership: &str| -> BTreeSet<&str> {
            let rooms = self.world.rooms.iter();
            rooms.filter(|(_, room)| membership_in(&room.current, room, ME) == membership).map(|(id, _)| id.as_str()).collect()
        };
        assert_eq!(client.joined.keys().map(String::as_str).collect::<BTreeSet<_>>(), with("join"), "rooms");
        assert_eq!(client.invited.iter().map(String::as_str).collect::<BTreeSet<_>>(), with("invite"), "invites");
        let state = STATES[self.wish.state];
        let has = |kind: &str, key: &str| state.contains(&[kind, key]);
        for (id, held) in &client.joined {
            let room = &self.world.rooms[id];
            for (key, event) in &room.current {
                if takes(state, key, held.state.contains_key(key)) {
                    assert_eq!(held.state.get(key), Some(event), "{key:?} of {id}");
                }
            }
            let gone = held.state.keys().filter(|key| !room.current.contains_key(*key) && takes(state, key, true));
            let told = |key: &&Key| !rows || has(&key.0, &key.1);
            assert_eq!(gone.filter(told).collect::<Vec<_>>(), Vec::<&Key>::new(), "what was removed from {id}");
            let visible: Vec<&String> =
                room.events.iter().filter(|event| may_see(room, event, ME)).map(|event| &event.id).collect();
            let shown: Vec<&String> = held.timeline.iter().collect();
            assert!(self.wish.limit == 0 || visible.ends_with(&shown), "timeline of {id}: {shown:?} of {visible:?}");
        }
    }
}

async fn run(steps: Vec<Step>) {
    let mut run = Run::new().await;
    for step in steps {
        run.step(step).await;
    }
    run.judged(0).await;
    run.wish.last = 9;
    // The last word: of a worker without a tail, of one with a tail, and of a new connection.
    let mut late = run.world.worker();
    late.begin_at_end(&run.world);
    let mut from_rows = run.client.clone();
    let request = ask(ME, run.client.pos.as_deref(), &run.body());
    from_rows.take(&late.slide(&run.world, request).await, &run.wish);
    run.check(&from_rows, true);
    run.workers[0].catch_up(&run.world);
    let body = run.sync(0).await;
    let mut client = run.client.clone();
    client.take(&body, &run.wish);
    run.check(&client, false);
    run.client.pos = None;
    run.workers[1].catch_up(&run.world);
    let body = run.sync(1).await;
    let mut anew = Client::default();
    anew.take(&body, &run.wish);
    run.check(&anew, false);
}

proptest! {
    // The same histories in every run; PROPTEST_RNG_SEED and PROPTEST_CASES choose others.
    #![proptest_config(ProptestConfig { cases: 200, max_shrink_iters: 4_000, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn a_client_holds_what_it_asks_for(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(run(steps));
    }
}
