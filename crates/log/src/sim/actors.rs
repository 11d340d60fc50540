//! Who lives in a schedule: managers that claim, clients that command, followers that watch, a fan-out from one log to the other.

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use banyan_core::{LogId, LogSeq, RequestId};
use banyan_store::{TableStore, key};
use futures::FutureExt;
use rand::{RngExt, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use tokio::time::{sleep, timeout};

use super::{
    ledger::{Answer, Outcome, Sighting},
    model::{Fact, Model, SEEN},
    schedule::{KEYS, LOGS, ROOMS, USERS, World},
};
use crate::{ClaimError, Entry, FollowError, LogError, LostReason, OwnedLog, Proposal, Source};

/// The durable follower that carries entries of rooms over to users.
pub(super) const FAN_OUT: &str = "fan-out";

/// Effects of the fan-out are commands with numbers from here on.
pub(super) const EFFECTS: i64 = 1_000_000;

const TENANTS: [&str; 3] = ["a", "b", "c"];

fn millis(rng: &mut ChaCha8Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(rng.random_range(range))
}

/// Claims a log for a node, now and then although somebody has it; hands it over; notices its loss.
pub(super) async fn manager(world: Arc<World>, index: usize, run: u32, log: LogId) {
    let mut rng = world.rng(1000 + u64::from(run) * 100 + index as u64 * 10 + u64::from(log == USERS));
    let node = &world.nodes[index];
    loop {
        sleep(millis(&mut rng, 50..1500)).await;
        let Some(owned) = node.owned(log) else {
            let held = world.nodes.iter().any(|node| node.owned(log).is_some_and(|owned| owned.lost().now_or_never().is_none()));
            if rng.random_bool(if held { world.storm.theft } else { 0.7 }) {
                claim(&world, index, run, log).await;
            }
            continue;
        };
        if let Some(reason) = owned.lost().now_or_never() {
            node.take(log);
            if let LostReason::Damaged(what) = reason {
                world.ledger.violation(format!("{log} is damaged: {what}"));
            }
        } else if world.storm.hand_overs && rng.random_bool(0.1) {
            let to = world.nodes.choose(&mut rng).filter(|_| rng.random_bool(0.8)).map(super::schedule::SimNode::name);
            owned.prepare_release().await;
            let _ = owned.release(to).await;
            node.take(log);
        }
    }
}

async fn claim(world: &World, index: usize, run: u32, log: LogId) {
    let node = &world.nodes[index];
    match node.logs().claim(log, &node.name(), Arc::new(Model)).await {
        Ok(owned) => node.keep(run, owned),
        Err(ClaimError::Damaged { what, .. }) => world.ledger.violation(format!("{log} is damaged: {what}")),
        Err(_) => {}
    }
}

/// Sends commands, one after the other, and insists on an answer for a while.
pub(super) async fn client(world: Arc<World>, number: usize) {
    let mut rng = world.rng(10 + number as u64);
    while !world.is_stopping() {
        sleep(millis(&mut rng, 0..400)).await;
        let log = if rng.random_bool(0.7) { ROOMS } else { USERS };
        let command = world.commands.fetch_add(1, Ordering::SeqCst);
        let count = rng.random_range(1..=3);
        let request = RequestId::generate(&world.clock, &*world.entropy);
        let group = proposals(&mut rng, command, request, count);
        let answer = insist(&world, &mut rng, log, request, &group).await;
        if matches!(answer, Answer::Happened(_)) {
            check_visible(&world, log, &group).await;
        }
        world.ledger.outcome(Outcome { log, command, client: number, count: group.len(), answer });
    }
}

fn proposals(rng: &mut ChaCha8Rng, command: i64, request: RequestId, count: i64) -> Vec<Proposal> {
    let key = rng.random_range(0..KEYS);
    let tenant = TENANTS[rng.random_range(0..TENANTS.len())];
    let fact = |index| Fact { command, index, count, key, removes: command % 3 == 0 };
    (0..count)
        .map(|index| Proposal {
            request_id: Some(request),
            tenant: tenant.into(),
            lane: u64::try_from(key).unwrap_or(0),
            body: fact(index).encode(),
            ..Proposal::default()
        })
        .collect()
}

async fn insist(world: &World, rng: &mut ChaCha8Rng, log: LogId, request: RequestId, group: &[Proposal]) -> Answer {
    let mut unknown = false;
    for _ in 0..rng.random_range(1..12) {
        let Some(owner) = world.owner(log, rng) else {
            sleep(millis(rng, 50..500)).await;
            continue;
        };
        match attempt(rng, &owner, request, group).await {
            Ok(answer) => return answer,
            Err(LogError::Unknown(_)) => unknown = true,
            Err(_) => {}
        }
        sleep(millis(rng, 10..400)).await;
    }
    if unknown { Answer::Unknown } else { Answer::Refused }
}

async fn attempt(rng: &mut ChaCha8Rng, owner: &OwnedLog, request: RequestId, group: &[Proposal]) -> Result<Answer, LogError> {
    if let Some(entries) = owner.find_request(request).await? {
        return Ok(Answer::Found(entries));
    }
    let pending = owner.propose(group.to_vec())?;
    // An impatient client goes away and comes back.
    match timeout(millis(rng, 5..3000), pending).await {
        Ok(answer) => answer.map(Answer::Happened),
        Err(_) => Err(LogError::Unknown("impatient".to_owned())),
    }
}

/// What was answered, or followed, can be read, unless the store loses rows that are not synced.
async fn check_visible(world: &World, log: LogId, group: &[Proposal]) {
    for fact in group.iter().filter_map(|proposal| Fact::decode(&proposal.body)) {
        check_fact(world, log, fact).await;
    }
}

async fn check_fact(world: &World, log: LogId, fact: Fact) {
    if world.storm.crashes || world.twist.forgets_promises {
        return;
    }
    loop {
        match world.store.get(&SEEN, &key![log.to_string(), fact.key], &key![fact.command, fact.index]).await {
            Ok(Some(_)) => return,
            Ok(None) => return world.ledger.violation(format!("{fact:?} of {log} was exposed before it was applied")),
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Follows logs from somewhere, goes away, comes back.
pub(super) async fn follower(world: Arc<World>, number: u64) {
    let mut rng = world.rng(100 + number);
    let mut known = LogSeq(0);
    while !world.is_stopping() {
        let log = LOGS[usize::from(rng.random_bool(0.3))];
        let from = LogSeq(if rng.random_bool(0.6) { 0 } else { rng.random_range(0..=known.0) });
        let node = rng.random_range(0..world.nodes.len());
        let mut patience = rng.random_range(3..200);
        if let Some(seen) = watch(&world, node, log, from, &mut patience).await {
            known = known.max(if log == ROOMS { seen } else { LogSeq(0) });
        }
    }
}

/// Follows until patience runs out; answers how far it came.
async fn watch(world: &World, node: usize, log: LogId, from: LogSeq, patience: &mut u32) -> Option<LogSeq> {
    let mut follower = world.nodes[node].logs().follow(log, from);
    let (mut from, mut entries): (LogSeq, Vec<Entry>) = (from, Vec::new());
    while *patience > 0 && !world.is_stopping() {
        *patience -= 1;
        match timeout(Duration::from_millis(1500), follower.next()).await {
            Ok(Ok(batch)) => {
                if let Some(fact) = batch.entries.last().and_then(|entry| Fact::decode(&entry.body)) {
                    check_fact(world, log, fact).await;
                }
                entries.extend(batch.entries);
            }
            Ok(Err(FollowError::Gone { first })) => {
                world.ledger.saw(Sighting { log, from, to: follower.position(), entries: std::mem::take(&mut entries) });
                from = first;
                follower = world.nodes[node].logs().follow(log, first);
            }
            Ok(Err(FollowError::Store(_))) => sleep(Duration::from_millis(100)).await,
            Err(_) => {}
        }
    }
    let to = follower.position();
    world.ledger.saw(Sighting { log, from, to, entries });
    Some(to)
}

/// Carries every entry of rooms over to users, once; two of these do it at the same time and forget where they were.
pub(super) async fn fan_out(world: Arc<World>, number: u64) {
    let mut rng = world.rng(200 + number);
    while !world.is_stopping() {
        let logs = world.nodes[rng.random_range(0..world.nodes.len())].logs();
        let cursors = logs.cursors(FAN_OUT);
        let Ok(from) = cursors.load(ROOMS).await else {
            sleep(millis(&mut rng, 50..500)).await;
            continue;
        };
        let mut follower = logs.follow(ROOMS, from.unwrap_or_default());
        for _ in 0..rng.random_range(2..60) {
            if world.is_stopping() {
                return;
            }
            match timeout(Duration::from_secs(1), follower.next()).await {
                Ok(Ok(batch)) => {
                    for entry in &batch.entries {
                        if !carry(&world, &mut rng, entry).await {
                            return;
                        }
                    }
                    let _ = cursors.save(ROOMS, batch.next).await;
                }
                Ok(Err(FollowError::Gone { first })) => {
                    world.ledger.violation(format!("the registered follower at {} was overtaken by {first}", follower.position()));
                    return;
                }
                Ok(Err(FollowError::Store(_))) => sleep(millis(&mut rng, 50..500)).await,
                Err(_) => {}
            }
        }
    }
}

/// Proposes the effect of an entry until it is in the log; false if the schedule ended before.
async fn carry(world: &World, rng: &mut ChaCha8Rng, entry: &Entry) -> bool {
    let seq = i64::try_from(entry.seq.0).unwrap_or(0);
    let fact = Fact { command: EFFECTS + seq, index: 0, count: 1, key: seq % KEYS, removes: false };
    let source = Source { log: entry.log, seq: entry.seq, part: 0 };
    let proposal = Proposal { source: Some(source), tenant: "fan".into(), lane: 99, body: fact.encode(), ..Proposal::default() };
    while !world.is_stopping() {
        if let Some(owner) = world.owner(USERS, rng) {
            let outcome = match owner.propose(vec![proposal.clone()]) {
                Ok(pending) => pending.await.map(drop),
                Err(error) => Err(error),
            };
            if matches!(outcome, Ok(()) | Err(LogError::Repeat)) {
                return true;
            }
        }
        sleep(millis(rng, 10..300)).await;
    }
    false
}
