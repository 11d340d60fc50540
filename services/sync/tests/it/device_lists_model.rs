//! Random histories of device lists: whatever was delivered when, whichever worker answered, however often a response was lost, a client
//! knows in the end the newest devices of those its user shares a room with, and of nobody else.

use std::collections::{BTreeMap, BTreeSet};

use banyan_proto::users::{DeviceListChanged, user_entry};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use serde_json::{Value, json};

use crate::{
    model::membership_in,
    rooms::{member, state},
    world::{Worker, World, request, since, sync, token},
};

const ROOMS: [&str; 3] = ["!one:x", "!two:x", "!three:y"];
/// The last one has made the rooms.
const USERS: [&str; 4] = ["@alice:x", "@bob:y", "@carol:x", "@zoe:x"];

#[derive(Clone, Debug)]
enum Step {
    Member(usize, usize, &'static str),
    /// New devices, which rooms are told of later.
    Devices(usize),
    Tell(usize),
    Message(usize),
    Encrypt(usize),
    Deliver(usize, usize, usize),
    /// The last worker keeps no tail.
    Sync {
        user: usize,
        worker: usize,
        lost: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let membership = prop_oneof![4 => Just("join"), 3 => Just("leave"), 1 => Just("invite")];
    let step = prop_oneof![
        8 => (0..3_usize, 0..4_usize, membership).prop_map(|(room, user, membership)| Step::Member(room, user, membership)),
        4 => (0..4_usize).prop_map(Step::Devices),
        4 => (0..4_usize).prop_map(Step::Tell),
        1 => (0..3_usize).prop_map(Step::Message),
        1 => (0..3_usize).prop_map(Step::Encrypt),
        6 => (0..2_usize, 0..8_usize, 1..6_usize).prop_map(|(worker, log, most)| Step::Deliver(worker, log, most)),
        8 => (0..3_usize, 0..3_usize, any::<bool>()).prop_map(|(user, worker, lost)| Step::Sync { user, worker, lost }),
    ];
    proptest::collection::vec(step, 1..60)
}

/// What a client has of whose devices.
#[derive(Clone, Debug, Default)]
struct Held {
    token: Option<String>,
    /// Versions by user.
    known: BTreeMap<&'static str, u64>,
}

struct Run {
    world: World,
    workers: [Worker; 2],
    clients: Vec<Held>,
    /// How often the devices of each user have changed.
    versions: [u64; 4],
    /// Whose rooms have yet to be told.
    untold: BTreeSet<usize>,
    /// Who ever shared a room with each user.
    met: [BTreeSet<&'static str>; 4],
}

impl Run {
    async fn new() -> Self {
        let mut world = World::new();
        for room in ROOMS {
            world.create(room, USERS[3]).await;
        }
        let workers = [world.worker(), world.worker()];
        let clients = vec![Held::default(); 3];
        Self { world, workers, clients, versions: [0; 4], untold: BTreeSet::new(), met: Default::default() }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Member(room, user, membership) => self.member(ROOMS[room], USERS[user], membership).await,
            Step::Devices(user) => {
                self.versions[user] += 1;
                let changed = DeviceListChanged { only_self: false };
                self.world.append_user(USERS[user], user_entry::Kind::DeviceList(changed)).await;
                self.untold.insert(user);
            }
            Step::Tell(user) => self.tell(user).await,
            Step::Message(room) => {
                self.world.say(ROOMS[room], USERS[3], "hello").await;
            }
            Step::Encrypt(room) => {
                let content = json!({"algorithm": "m.megolm.v1.aes-sha2"});
                self.world.send(ROOMS[room], USERS[3], state("m.room.encryption", "", content)).await;
            }
            Step::Deliver(worker, log, most) => {
                let log = self.world.all_logs()[log];
                self.workers[worker].deliver(&self.world, log, most);
            }
            Step::Sync { user, worker, lost } => {
                let body = self.answer(user, worker).await;
                self.check_answer(user, &body, worker < 2);
                if !lost {
                    self.take(user, &body);
                }
            }
        }
        for user in 0..4 {
            let sharing = self.sharing(user);
            self.met[user].extend(sharing);
        }
    }

    async fn member(&mut self, room: &str, user: &str, membership: &str) {
        let now = membership_in(&self.world.rooms[room].current, &self.world.rooms[room], user);
        let allowed = match membership {
            "join" => true,
            "invite" => now == "leave",
            _ => now != "leave",
        };
        if allowed {
            let sender = if membership == "invite" { USERS[3] } else { user };
            self.world.send(room, sender, member(user, membership)).await;
        }
    }

    /// Tells the rooms that a user is in now of devices that changed.
    async fn tell(&mut self, user: usize) {
        if self.untold.remove(&user) {
            for room in self.rooms_of(user) {
                self.world.new_devices(room, USERS[user]).await;
            }
        }
    }

    fn rooms_of(&self, user: usize) -> Vec<&'static str> {
        let is_in = |room: &&str| membership_in(&self.world.rooms[*room].current, &self.world.rooms[*room], USERS[user]) == "join";
        ROOMS.into_iter().filter(is_in).collect()
    }

    /// Who shares a room with a user, but for themselves.
    fn sharing(&self, user: usize) -> BTreeSet<&'static str> {
        let own = self.rooms_of(user);
        let shares = |other: &usize| *other != user && self.rooms_of(*other).iter().any(|room| own.contains(room));
        (0..4).filter(shares).map(|other| USERS[other]).collect()
    }

    /// A response, for which the worker takes in what it needs.
    async fn answer(&mut self, user: usize, worker: usize) -> Value {
        let Some(token) = self.clients[user].token.clone() else {
            let worker = worker.min(1);
            return self.workers[worker].sync(&self.world, request(USERS[user])).await;
        };
        let request = since(USERS[user], &token);
        if worker == 2 {
            let mut late = self.world.worker();
            late.begin_at_end(&self.world);
            return late.sync(&self.world, request).await;
        }
        let syncs = self.workers[worker].syncs.clone();
        let mut answer = std::pin::pin!(sync(&syncs, request));
        for _ in 0..100 {
            if let std::task::Poll::Ready(body) = futures::poll!(answer.as_mut()) {
                return body.unwrap();
            }
            tokio::task::yield_now().await;
        }
        self.workers[worker].catch_up(&self.world);
        answer.await.unwrap()
    }

    /// The client fetches the devices of those it is told of; at first, of all whom its user shares a room with.
    fn take(&mut self, user: usize, body: &Value) {
        let first = self.clients[user].token.replace(token(body).to_owned()).is_none();
        let told = lists(body);
        let mut fetched: BTreeSet<&'static str> = if first { self.sharing(user) } else { told.0 };
        if first {
            fetched.insert(USERS[user]);
        }
        for name in fetched {
            let version = self.versions[USERS.iter().position(|user| *user == name).unwrap()];
            self.clients[user].known.insert(name, version);
        }
        for name in told.1 {
            self.clients[user].known.remove(name);
        }
    }

    /// Nobody is told of strangers, nor both things of anybody.
    fn check_answer(&self, user: usize, body: &Value, has_tail: bool) {
        let (changed, left) = lists(body);
        assert!(changed.is_disjoint(&left), "{changed:?} and {left:?}");
        let known = |name: &&str| *name == USERS[user] || self.met[user].contains(name);
        assert!(changed.iter().all(known), "{} is told that a stranger changed: {changed:?}", USERS[user]);
        assert!(!has_tail || left.iter().all(known), "{} is told that a stranger left: {left:?}", USERS[user]);
    }

    fn check_end(&self, user: usize, held: &Held) {
        let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
        for name in self.sharing(user).into_iter().chain([USERS[user]]) {
            expected.insert(name, self.versions[USERS.iter().position(|user| *user == name).unwrap()]);
        }
        assert_eq!(held.known, expected, "devices that {} knows", USERS[user]);
    }
}

/// `changed` and `left`.
fn lists(body: &Value) -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
    let list = |name: &str| -> BTreeSet<&'static str> {
        let told = body["device_lists"][name].as_array().unwrap();
        told.iter().map(|told| USERS.into_iter().find(|user| told == user).unwrap()).collect()
    };
    (list("changed"), list("left"))
}

async fn run(steps: Vec<Step>) {
    let mut run = Run::new().await;
    for user in 0..4 {
        run.step(Step::Tell(user)).await;
    }
    for step in steps {
        run.step(step).await;
    }
    for user in 0..4 {
        run.tell(user).await;
    }
    for user in 0..3 {
        // The last word: of a worker that has no tail, and of one with it.
        let before = run.clients[user].clone();
        let body = run.answer(user, 2).await;
        run.check_answer(user, &body, false);
        run.take(user, &body);
        run.check_end(user, &run.clients[user]);
        run.clients[user] = before;
        run.workers[0].catch_up(&run.world);
        let body = run.answer(user, 0).await;
        run.check_answer(user, &body, true);
        run.take(user, &body);
        run.check_end(user, &run.clients[user]);
        let again = run.answer(user, 0).await;
        assert_eq!(lists(&again), Default::default(), "nothing happened since");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn chains_of_syncs_tell_whose_devices_to_look_at(steps in steps()) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run(steps));
    }
}
