//! Effects of one log in another happen once.

use banyan_core::{LogId, LogSeq, ShardId};
use banyan_log::{LogError, OwnedLog, Proposal, Source};
use banyan_store::memory::{Target, WriteFault};

use crate::world::{LOG, World, proposal};

fn effect(seq: u64, part: u32) -> Proposal {
    let source = Source { log: LogId::users(ShardId(1)), seq: LogSeq(seq), part };
    Proposal { source: Some(source), ..proposal("k=1") }
}

async fn propose(log: &OwnedLog, seq: u64, part: u32) -> Result<(), LogError> {
    loop {
        match log.propose(vec![effect(seq, part)]) {
            Err(LogError::Overloaded { retry_after }) => tokio::time::sleep(retry_after).await,
            Ok(pending) => return pending.await.map(drop),
            Err(error) => return Err(error),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_effect_is_taken_once_by_this_owner_and_the_next() {
    let world = World::new();
    let log = world.claim("a").await;
    propose(&log, 5, 0).await.unwrap();
    propose(&log, 5, 1).await.unwrap();
    assert!(matches!(propose(&log, 5, 1).await, Err(LogError::Repeat)));
    assert!(matches!(propose(&log, 4, 7).await, Err(LogError::Repeat)));
    let next = world.claim("b").await;
    assert!(matches!(propose(&next, 5, 0).await, Err(LogError::Repeat)));
    propose(&next, 6, 0).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_effect_on_its_way_is_not_called_done() {
    let world = World::new();
    let log = world.claim("a").await;
    propose(&log, 1, 0).await.unwrap();
    world.control.inject(Target::Append(LOG), WriteFault::UnknownLost);
    let pending = log.propose(vec![effect(2, 0)]).unwrap();
    assert!(matches!(log.propose(vec![effect(2, 0)]), Err(LogError::Overloaded { .. })));
    pending.await.unwrap();
    assert!(log.is_repeat(&effect(2, 0).source.unwrap()).unwrap());
}
