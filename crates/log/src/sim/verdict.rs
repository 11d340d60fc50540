//! The invariants, checked when a schedule is over.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use banyan_core::{LogId, LogSeq};
use bytes::Bytes;

use super::{
    actors::EFFECTS,
    ledger::{Answer, Outcome},
    model::{self, Fact, Model},
    node_store::{Broken, Gate},
    schedule::{KEYS, LOGS, ROOMS, Summary, USERS, World},
};
use crate::{
    Entry, OwnedLog, Proposal,
    header::{self, Slot},
};

/// A log as it is in the end, padding included.
type Places = BTreeMap<LogSeq, Slot>;

/// Has a new owner take over in good weather, and holds what it finds against what was observed.
pub(super) async fn judge(world: &World) -> Result<Summary, String> {
    if let Some(violation) = world.ledger.violations().first() {
        return Err(violation.clone());
    }
    let mut summary = Summary::default();
    let mut digest = DefaultHasher::new();
    let mut logs = BTreeMap::new();
    for log in LOGS {
        let owned = take_over(world, log).await?;
        let places = read(world, &owned).await?;
        check_order(log, &places, owned.applied())?;
        check_epochs(world, log)?;
        let entries: Vec<Entry> = places.values().cloned().filter_map(Slot::into_entry).collect();
        check_rows(world, log, &entries).await?;
        check_sightings(world, log, &places)?;
        check_outcomes(world, log, &entries)?;
        summary.entries += entries.len();
        summary.epochs += owned.epoch().0;
        entries.iter().for_each(|entry| (entry.seq.0, entry.timestamp.0, &entry.body).hash(&mut digest));
        logs.insert(log, entries);
    }
    check_effects(&logs)?;
    if let Some(violation) = world.ledger.violations().first() {
        return Err(violation.clone());
    }
    for outcome in world.ledger.outcomes() {
        summary.acknowledged += usize::from(matches!(outcome.answer, Answer::Happened(_) | Answer::Found(_)));
        summary.unknown += usize::from(outcome.answer == Answer::Unknown);
        format!("{outcome:?}").hash(&mut digest);
    }
    summary.stale_reads = world.control.stale_reads();
    summary.sightings = world.ledger.sightings().iter().map(|sighting| sighting.entries.len()).sum();
    summary.digest = format!("{:016x}", digest.finish());
    Ok(summary)
}

/// In good weather a log can be claimed and appended to.
async fn take_over(world: &World, log: LogId) -> Result<OwnedLog, String> {
    let node = crate::Node { id: "judge".to_owned(), addr: "judge:7000".to_owned() };
    let logs = world.nodes[0].logs();
    let owned = logs.claim(log, &node, Arc::new(Model)).await.map_err(|error| format!("{log} cannot be claimed: {error}"))?;
    let fact = Fact { command: 0, index: 0, count: 1, key: 0, removes: false };
    let last = Proposal { body: fact.encode(), ..Proposal::default() };
    let pending = owned.propose(vec![last]).map_err(|error| format!("{log} takes nothing: {error}"))?;
    pending.await.map_err(|error| format!("{log} commits nothing: {error}"))?;
    tokio::time::timeout(Duration::from_secs(60), owned.until_replayed()).await.map_err(|_| "the replay never ended".to_owned())?;
    Ok(owned)
}

/// All that was ever committed, as far as retention and the judge kept it.
async fn read(world: &World, owned: &OwnedLog) -> Result<Places, String> {
    let (log, end) = (owned.id(), owned.applied());
    let store = world.node_store(&Gate::new(), Broken::default());
    let mut rows = world.ledger.archived(log);
    for bucket in 0..=end.0 / world.storm.bucket_len {
        let first = LogSeq(bucket * world.storm.bucket_len);
        for row in store.rows(log, bucket, first, 1024).await.map_err(|error| error.to_string())? {
            rows.insert(row.seq, row);
        }
    }
    let decode = |(seq, row)| header::decode_row(log, row).map(|slot| (seq, slot)).map_err(|error| error.to_string());
    rows.into_iter().map(decode).collect()
}

/// Dense, and each timestamp at least two above the one before.
fn check_order(log: LogId, places: &Places, end: LogSeq) -> Result<(), String> {
    let mut before = None;
    for seq in 0..end.0 {
        let slot = places.get(&LogSeq(seq)).ok_or_else(|| format!("{log} has no entry {seq} of {end}"))?;
        let timestamp = slot.timestamp();
        if before.is_some_and(|before: banyan_core::TimestampMicros| timestamp.0 < before.0 + 2) {
            return Err(format!("entry {seq} of {log} has timestamp {timestamp} after {before:?}"));
        }
        before = Some(timestamp);
    }
    match places.keys().next_back() {
        Some(last) if *last >= end => Err(format!("{log} has entry {last} beyond its end {end}")),
        _ => Ok(()),
    }
}

/// Epochs never go back.
fn check_epochs(world: &World, log: LogId) -> Result<(), String> {
    let epochs = world.ledger.epochs(log);
    match epochs.windows(2).find(|pair| pair[1].1 < pair[0].1) {
        Some(pair) => Err(format!("{log}: epoch {} at {} is followed by {} at {}", pair[0].1, pair[0].0, pair[1].1, pair[1].0)),
        None => Ok(()),
    }
}

/// The derived rows are those of a replay.
async fn check_rows(world: &World, log: LogId, entries: &[Entry]) -> Result<(), String> {
    let expected = model::replay(entries.iter());
    let found = model::read(&world.store, &log.to_string(), KEYS).await;
    let wrong = |key: &(&str, String, String)| {
        let show = |value: Option<&Bytes>| value.map(|value| String::from_utf8_lossy(value).into_owned());
        format!("row {key:?} of {log} is {:?}, a replay gives {:?}", show(found.get(key)), show(expected.get(key)))
    };
    let differs = |key: &&(&'static str, String, String)| found.get(*key) != expected.get(*key);
    match expected.keys().chain(found.keys()).find(differs) {
        Some(key) => Err(wrong(key)),
        None => Ok(()),
    }
}

/// Followers saw the log: everything, in order, nothing else.
fn check_sightings(world: &World, log: LogId, places: &Places) -> Result<(), String> {
    for sighting in world.ledger.sightings().into_iter().filter(|sighting| sighting.log == log) {
        let range = places.range(sighting.from..sighting.to.max(sighting.from));
        let expected: Vec<Entry> = range.filter_map(|(_, slot)| slot.clone().into_entry()).collect();
        if sighting.entries != expected {
            let seen: Vec<u64> = sighting.entries.iter().map(|entry| entry.seq.0).collect();
            let (from, to) = (sighting.from, sighting.to);
            return Err(format!(
                "a follower of {log} from {from} to {to} saw {} entries of {}: {seen:?}",
                seen.len(),
                expected.len()
            ));
        }
    }
    Ok(())
}

/// Commands happened once, whole, where it was said; or not at all, where that was said.
fn check_outcomes(world: &World, log: LogId, entries: &[Entry]) -> Result<(), String> {
    let mut commands: BTreeMap<i64, Vec<(Fact, &Entry)>> = BTreeMap::new();
    for entry in entries {
        let fact = Fact::decode(&entry.body).ok_or("an entry is no fact")?;
        commands.entry(fact.command).or_default().push((fact, entry));
    }
    for (command, parts) in commands.iter().filter(|(command, _)| **command != 0) {
        let whole = parts
            .iter()
            .zip(0..)
            .all(|((fact, entry), index)| fact.index == index && entry.seq == parts[0].1.seq.plus(index.unsigned_abs()));
        if !whole || i64::try_from(parts.len()) != Ok(parts[0].0.count) {
            let places: Vec<_> = parts.iter().map(|(fact, entry)| (fact.index, entry.seq.0)).collect();
            return Err(format!("command {command} of {log} is at {places:?}"));
        }
    }
    let mut last: BTreeMap<usize, (LogSeq, i64)> = BTreeMap::new();
    for outcome in world.ledger.outcomes().iter().filter(|outcome| outcome.log == log) {
        let parts = commands.get(&outcome.command).map(Vec::as_slice).unwrap_or_default();
        check_outcome(outcome, parts)?;
        if let Answer::Happened(committed) = &outcome.answer {
            let now = (committed[0].seq, outcome.command);
            if let Some(before) = last.insert(outcome.client, now).filter(|before| before.0 > now.0) {
                return Err(format!("{log}: commands {} and {} of one client changed places", before.1, now.1));
            }
        }
    }
    Ok(())
}

fn check_outcome(outcome: &Outcome, parts: &[(Fact, &Entry)]) -> Result<(), String> {
    let Outcome { log, command, count, answer, .. } = outcome;
    let right = match answer {
        Answer::Happened(committed) => {
            let there: Vec<_> = parts.iter().map(|(_, entry)| (entry.seq, entry.timestamp)).collect();
            there == committed.iter().map(|committed| (committed.seq, committed.timestamp)).collect::<Vec<_>>()
                && there.len() == *count
        }
        // Retention may have dropped what was found.
        Answer::Found(entries) => {
            parts.len() == *count && entries.iter().all(|entry| parts.iter().any(|(_, there)| *there == entry))
        }
        Answer::Refused => parts.is_empty(),
        Answer::Unknown => true,
    };
    let there: Vec<u64> = parts.iter().map(|(_, entry)| entry.seq.0).collect();
    if right { Ok(()) } else { Err(format!("command {command} of {log} was answered {answer:?} and is at {there:?}")) }
}

/// Every entry of rooms has its effect in users once, in order, up to some place.
fn check_effects(logs: &BTreeMap<LogId, Vec<Entry>>) -> Result<(), String> {
    let causes = logs[&ROOMS].iter().map(|entry| entry.seq.0);
    let effects: Vec<u64> = logs[&USERS].iter().filter_map(|entry| entry.source).map(|source| source.seq.0).collect();
    let expected: Vec<u64> = causes.take(effects.len()).collect();
    let numbered = logs[&USERS].iter().filter(|entry| entry.source.is_some()).all(|entry| {
        let command = Fact::decode(&entry.body).map(|fact| fact.command);
        command == entry.source.and_then(|source| i64::try_from(source.seq.0).ok()).map(|seq| EFFECTS + seq)
    });
    if effects == expected && numbered { Ok(()) } else { Err(format!("effects of {effects:?} where {expected:?} were caused")) }
}
