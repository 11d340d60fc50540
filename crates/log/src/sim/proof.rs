//! The simulation as tests: it finds nothing wrong, it repeats exactly, and it finds what is broken on purpose.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use super::{
    Sabotage,
    node_store::Broken,
    schedule::{Summary, Twist, run},
};

const DEFAULT_SCHEDULES: u64 = 3000;

#[expect(clippy::disallowed_methods, reason = "how a person steers a test run")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Runs seeds from `first` on until one fails, on all cores; the lowest failing seed counts.
fn first_failure(first: u64, count: u64, twist: Twist) -> Option<(u64, String)> {
    let next = AtomicU64::new(first);
    let failure = Mutex::new(None::<(u64, String)>);
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= first + count || failure.lock().unwrap().is_some() {
                        return;
                    }
                    if let Err(what) = run(seed, twist) {
                        let mut failure = failure.lock().unwrap();
                        if failure.as_ref().is_none_or(|(lowest, _)| seed < *lowest) {
                            *failure = Some((seed, what));
                        }
                    }
                }
            });
        }
    });
    failure.into_inner().unwrap()
}

#[test]
fn simulation_finds_no_fault() {
    let first = number("BANYAN_SIM_SEED").unwrap_or(0);
    let count = number("BANYAN_SIM_SCHEDULES").unwrap_or(DEFAULT_SCHEDULES);
    if let Some((seed, what)) = first_failure(first, count, Twist::default()) {
        panic!("seed {seed}: {what}\nreplay: BANYAN_SIM_SEED={seed} BANYAN_SIM_SCHEDULES=1 cargo test -p banyan-log simulation");
    }
}

#[test]
fn a_seed_replays_exactly() {
    for seed in 0..20 {
        assert_eq!(run(seed, Twist::default()), run(seed, Twist::default()), "seed {seed}");
    }
}

#[test]
fn schedules_are_rough_and_busy() {
    let summaries: Vec<Summary> = (0..40).map(|seed| run(seed, Twist::default()).unwrap()).collect();
    let sum = |field: fn(&Summary) -> usize| summaries.iter().map(field).sum::<usize>();
    let epochs: u64 = summaries.iter().map(|summary| summary.epochs).sum();
    assert!(sum(|summary| summary.acknowledged) > 500, "{summaries:?}");
    assert!(sum(|summary| summary.sightings) > 2000, "{summaries:?}");
    // Clients insist, so that few are left without an answer in the end.
    assert!(sum(|summary| summary.unknown) > 3, "{summaries:?}");
    assert!(epochs > 200, "{summaries:?}");
    assert!(summaries.iter().map(|summary| summary.stale_reads).sum::<u64>() > 3, "{summaries:?}");
}

fn is_caught(twist: Twist) {
    let found = first_failure(0, 600, twist);
    assert!(found.is_some(), "{twist:?} was not noticed");
}

macro_rules! caught {
    ($($name:ident: $twist:expr,)*) => { $(#[test] fn $name() { is_caught($twist); })* };
}

const fn sabotage(rule: Sabotage) -> Twist {
    Twist { sabotage: Some(rule), ..SOUND }
}

const fn broken(broken: Broken) -> Twist {
    Twist { broken, ..SOUND }
}

const SOUND: Twist = Twist { sabotage: None, broken: WHOLE, forgets_promises: false, reads_at_one: false };
const WHOLE: Broken = Broken { no_fence: false, raises_nothing: false };

caught! {
    plain_timestamps_are_caught: sabotage(Sabotage::PlainTimestamps),
    taking_silence_for_no_is_caught: sabotage(Sabotage::SilenceMeansNo),
    not_applying_again_is_caught: sabotage(Sabotage::NoReplay),
    not_applying_the_tail_is_caught: sabotage(Sabotage::SkipTail),
    following_over_gaps_is_caught: sabotage(Sabotage::SkipGaps),
    following_beyond_applied_is_caught: sabotage(Sabotage::ReadAhead),
    reading_the_end_before_the_fence_is_caught: sabotage(Sabotage::ReadBeforeFence),
    answering_before_applying_is_caught: sabotage(Sabotage::AnswerEarly),
    forgetting_requests_is_caught: sabotage(Sabotage::ForgetRequests),
    a_store_without_a_fence_is_caught: broken(Broken { no_fence: true, ..WHOLE }),
    a_store_that_does_not_raise_heads_is_caught: broken(Broken { raises_nothing: true, ..WHOLE }),
    a_store_that_forgets_its_promises_is_caught: Twist { forgets_promises: true, ..SOUND },
    a_store_read_at_one_is_caught: Twist { reads_at_one: true, ..SOUND },
}
