//! What cannot be written does not block a shard.

use banyan_store::{Range, TableStore, key};

use crate::world::{LOG, World, proposal};

#[tokio::test(start_paused = true)]
async fn rows_that_the_store_refuses_are_parked_and_block_nothing() {
    let world = World::new();
    let log = world.claim("a").await;
    let group = vec![proposal("a=1"), proposal("b=huge"), proposal("unreadable"), proposal("c=3")];
    log.propose(group).unwrap().await.unwrap();
    assert_eq!(world.last("a").await.as_deref(), Some("1"));
    assert_eq!(world.last("c").await.as_deref(), Some("3"));
    assert_eq!(world.last("b").await, None);
    let parked = world.store.scan(&banyan_log::tables::PARKED_ROW, &key![LOG.to_string()], Range::all(10)).await.unwrap();
    let seqs: Vec<_> = parked.rows.iter().map(|row| row.clustering[0].as_int().unwrap()).collect();
    assert_eq!(seqs, [1, 2]);
    log.propose(vec![proposal("b=2")]).unwrap().await.unwrap();
    assert_eq!(world.last("b").await.as_deref(), Some("2"));
}
