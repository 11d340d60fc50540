//! What befalls a schedule.

use std::{sync::Arc, time::Duration};

use banyan_bus::Faults as BusFaults;
use banyan_store::memory::{Faults, Target, WriteFault};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tokio::time::sleep;

use super::schedule::{LOGS, World, calm_faults};

/// Makes things go wrong until it is stopped.
pub(super) async fn chaos(world: Arc<World>) {
    let mut rng = world.rng(0);
    if world.storm.bus {
        world.bus.set_faults(BusFaults {
            drop: rng.random_range(0.0..0.4),
            repeat: rng.random_range(0.0..0.3),
            delay: rng.random_range(0.0..0.5),
            reorder: rng.random_range(0.0..0.3),
            max_delay: Duration::from_millis(rng.random_range(1..2000)),
        });
    }
    loop {
        sleep(Duration::from_millis(rng.random_range(50..1500))).await;
        strike(&world, &mut rng).await;
    }
}

async fn strike(world: &Arc<World>, rng: &mut ChaCha8Rng) {
    let storm = &world.storm;
    match rng.random_range(0..10) {
        0 | 1 if storm.faults => world.control.set_faults(bad_faults(world, rng)),
        2 if storm.faults => world.control.set_faults(calm_faults(world.twist)),
        3 | 4 if storm.faults => inject(world, rng),
        5 if storm.outages => {
            world.control.set_down(true);
            sleep(Duration::from_millis(rng.random_range(50..5000))).await;
            world.control.set_down(false);
        }
        6 | 7 if storm.pauses => pause(world, rng),
        8 if storm.kills => world.restart(rng.random_range(0..world.nodes.len())),
        9 if storm.crashes => {
            // One process with its store: they go down together.
            world.control.crash();
            (0..world.nodes.len()).for_each(|node| world.restart(node));
        }
        _ if storm.bus => world.bus.lose_all(rng.random_bool(0.5)),
        _ => {}
    }
}

fn bad_faults(world: &World, rng: &mut ChaCha8Rng) -> Faults {
    let mut chance = |max: f64| rng.random_range(0.0..max);
    Faults {
        unavailable: chance(0.1),
        unknown_applied: chance(0.15),
        unknown_lost: chance(0.15),
        unknown_delayed: chance(0.15),
        duplicated: chance(0.3),
        half_applied: chance(0.3),
        stale_reads: chance(1.0),
        delay: Duration::from_millis(1)..Duration::from_millis(rng.random_range(10..8000)),
        ..calm_faults(world.twist)
    }
}

fn inject(world: &World, rng: &mut ChaCha8Rng) {
    let log = LOGS[rng.random_range(0..LOGS.len())];
    let target = [Target::Append(log), Target::Owner(log), Target::Head(log)][rng.random_range(0..3)];
    let fault =
        [WriteFault::Held, WriteFault::UnknownApplied, WriteFault::UnknownLost, WriteFault::Duplicated][rng.random_range(0..4)];
    world.control.inject(target, fault);
    // What was held earlier arrives at some time, in any order.
    let late = world.control.late_writes();
    if !late.is_empty() && rng.random_bool(0.6) {
        let _ = world.control.release(late[rng.random_range(0..late.len())].id);
    }
}

/// Stops a node for a while.
fn pause(world: &Arc<World>, rng: &mut ChaCha8Rng) {
    let gate = world.nodes[rng.random_range(0..world.nodes.len())].gate.clone();
    let length = Duration::from_millis(rng.random_range(100..7000));
    gate.set_open(false);
    tokio::spawn(async move {
        sleep(length).await;
        gate.set_open(true);
    });
}

/// Ends all that is wrong. What is still under way happens now.
pub(super) fn calm(world: &World) {
    world.control.set_faults(calm_faults(world.twist));
    world.control.set_down(false);
    world.control.release_all();
    world.bus.lose_all(false);
    world.bus.set_faults(BusFaults::default());
    world.nodes.iter().for_each(|node| node.gate.set_open(true));
}
