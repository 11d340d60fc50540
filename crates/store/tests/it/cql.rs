//! What is particular to a CQL database: the first start, settings, and its absence.

use std::time::Duration;

use banyan_core::{LogId, ShardId, SystemEntropy};
use banyan_store::{
    Cas, Column, LogStore, Mode, StoreError, Table, TableStore,
    cql::{CqlConfig, CqlStore},
    key,
};
use banyan_testkit::{
    cassandra::{Cassandra, CassandraOptions},
    process::until,
};
use bytes::Bytes;

use crate::{
    fixture::{BLOBS, PROMISES, ROWS, SINGLE, TABLES, cql_config, runtime},
    suite::{
        batch,
        logs::{entries, head},
        put, value,
    },
};

async fn connect(config: &CqlConfig, tables: &[&'static Table]) -> Result<CqlStore, StoreError> {
    CqlStore::connect(config, tables, &SystemEntropy).await
}

#[test]
fn two_first_starts_at_once_make_one_schema() {
    runtime().block_on(async {
        let config = cql_config(Cassandra::shared().await, &Cassandra::fresh_keyspace());
        let (one, other, third) = tokio::join!(connect(&config, TABLES), connect(&config, TABLES), connect(&config, TABLES));
        let (one, other) = (one.unwrap(), other.unwrap());
        third.unwrap();
        one.write(batch(&ROWS, key!["p"], 1, vec![put(key!["a", 1], "v")])).await.unwrap();
        assert_eq!(value(&other, &ROWS, &key!["p"], &key!["a", 1]).await, Some(Bytes::from("v")));
        assert_eq!(other.insert(&PROMISES, &key!["p"], &key!["k"], Bytes::from("v"), None).await.unwrap(), Cas::Applied);
        assert!(matches!(one.insert(&PROMISES, &key!["p"], &key!["k"], Bytes::new(), None).await, Ok(Cas::Refused(Some(_)))));
    });
}

#[test]
fn a_table_that_is_new_is_added_and_one_that_differs_is_refused() {
    static OTHER: Table = Table { partition: &[Column::int("p")], ..SINGLE };
    runtime().block_on(async {
        let config = cql_config(Cassandra::shared().await, &Cassandra::fresh_keyspace());
        connect(&config, &[&SINGLE]).await.unwrap();
        let grown = connect(&config, &[&SINGLE, &BLOBS]).await.unwrap();
        assert_eq!(value(&grown, &BLOBS, &vec![Bytes::from("p").into()], &vec![Bytes::new().into()]).await, None);
        let refused = connect(&config, &[&OTHER]).await;
        assert!(matches!(&refused, Err(StoreError::Setup(text)) if text.contains("test_single")), "{refused:?}");
    });
}

#[test]
fn settings_that_lose_writes_are_refused() {
    runtime().block_on(async {
        let options = CassandraOptions { commitlog_sync: "periodic", ..CassandraOptions::default() };
        let node = Cassandra::start(options).await;
        let refused = connect(&cql_config(&node, "banyan"), TABLES).await;
        let Err(StoreError::Setup(text)) = refused else { panic!("{refused:?}") };
        assert!(text.contains("commitlog_sync periodic") && text.contains("commitlog_sync: batch"), "{text}");
    });
}

#[test]
fn a_wrong_configuration_is_refused_before_anything_is_asked() {
    runtime().block_on(async {
        let refused = async |change: fn(&mut CqlConfig)| {
            let mut config = CqlConfig::new(vec!["127.0.0.1:1".to_owned()]);
            change(&mut config);
            match connect(&config, &[&SINGLE]).await {
                Err(StoreError::Setup(text)) => text,
                other => panic!("{other:?}"),
            }
        };
        assert!(refused(|config| config.contact_points.clear()).await.contains("contact_points"));
        assert!(refused(|config| config.keyspace = "No".to_owned()).await.contains("keyspace"));
        assert!(refused(|config| config.user = Some("me".to_owned())).await.contains("password_file"));
        let missing = |config: &mut CqlConfig| {
            config.user = Some("me".to_owned());
            config.password_file = Some("/nowhere/at/all".into());
        };
        assert!(refused(missing).await.contains("/nowhere/at/all"));
        static WRONG: Table = Table { name: "shard_log", mode: Mode::Derived, ..SINGLE };
        let config = CqlConfig::new(vec!["127.0.0.1:1".to_owned()]);
        assert!(matches!(connect(&config, &[&WRONG]).await, Err(StoreError::Setup(_))));
    });
}

#[test]
fn an_absent_database_is_unavailable_and_comes_back_by_itself() {
    runtime().block_on(async {
        let mut node = Cassandra::start(CassandraOptions::default()).await;
        let store = connect(&cql_config(&node, "banyan"), TABLES).await.unwrap();
        let log = LogId::rooms(ShardId(0));
        store.create_head(log, 0, head(1, 0)).await.unwrap();
        assert_eq!(store.append(log, &entries(1, 0, 3, 1)).await.unwrap(), Cas::Applied);

        // A database that does not answer: what was sent may happen.
        node.pause();
        let outcome = store.append(log, &entries(1, 3, 1, 2)).await;
        assert!(matches!(outcome, Err(StoreError::Unknown(_))), "{outcome:?}");
        assert!(matches!(store.get(&ROWS, &key!["p"], &key!["a", 1]).await, Err(StoreError::Unavailable(_))));
        node.resume();
        let patience = Duration::from_secs(60);
        let head = until("the head", patience, async || store.read_head(log, 0).await.ok()).await.unwrap();
        assert!(head.batch_id == 2 || head.batch_id == 1, "{head:?}");

        // One that is gone: nothing is sent, and nobody waits long.
        node.kill();
        let gone = async || matches!(store.read_head(log, 0).await, Err(StoreError::Unavailable(_))).then_some(());
        until("the loss to be noticed", patience, gone).await;
        let outcome = tokio::time::timeout(Duration::from_secs(10), store.read_head(log, 0)).await;
        assert!(matches!(outcome, Ok(Err(StoreError::Unavailable(_)))), "{outcome:?}");
        let unreachable = connect(&cql_config(&node, "banyan"), TABLES).await;
        assert!(matches!(unreachable, Err(StoreError::Unavailable(_))), "{unreachable:?}");

        node.start_again().await;
        let rows = until("the database", patience, async || store.read_log(log, 0, banyan_core::LogSeq(0), 9).await.ok()).await;
        assert!(rows.len() >= 3, "acknowledged entries are there");
    });
}
