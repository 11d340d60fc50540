//! What is particular to the embedded store: its directory, crashes, a second process.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use banyan_core::{LogId, LogSeq, ManualClock, ShardId, SystemEntropy};
use banyan_store::{
    Cas, LogStore, StoreError, TableStore,
    embedded::{EmbeddedConfig, EmbeddedStore},
    key,
};
use bytes::Bytes;
use tempfile::TempDir;

use crate::{
    fixture::{CACHE, PROMISES, ROWS, TABLES, clock},
    suite::{
        batch, delete,
        logs::{entries, head},
        put, value,
    },
};

fn try_open(path: &Path) -> Result<EmbeddedStore, StoreError> {
    open_at(path, clock())
}

fn open_at(path: &Path, clock: ManualClock) -> Result<EmbeddedStore, StoreError> {
    EmbeddedStore::open(EmbeddedConfig::new(path), TABLES, Arc::new(clock), &SystemEntropy)
}

fn open(path: &Path) -> EmbeddedStore {
    try_open(path).expect("it opens")
}

fn refusal(path: &Path) -> String {
    match try_open(path) {
        Err(StoreError::Setup(text)) => text,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn everything_is_there_after_it_was_closed() {
    let dir = TempDir::new().unwrap();
    let (log, partition) = (LogId::rooms(ShardId(1)), key!["p"]);
    let store = open(dir.path());
    let installation = store.installation().to_owned();
    store.create_head(log, 0, head(1, 0)).await.unwrap();
    store.append(log, &entries(1, 0, 5, 1)).await.unwrap();
    store.insert(&PROMISES, &partition, &key!["k"], Bytes::from("v"), None).await.unwrap();
    store.write(batch(&ROWS, partition.clone(), 10, vec![put(key!["a", 1], "v"), delete(key!["a", 2])])).await.unwrap();
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.installation(), installation);
    assert_eq!(store.read_log(log, 0, LogSeq(0), 9).await.unwrap(), entries(1, 0, 5, 1).rows);
    assert_eq!(store.get_serial(&PROMISES, &partition, &key!["k"]).await.unwrap(), Some(Bytes::from("v")));
    assert_eq!(value(&store, &ROWS, &partition, &key!["a", 1]).await, Some(Bytes::from("v")));
    store.write(batch(&ROWS, partition.clone(), 5, vec![put(key!["a", 2], "late")])).await.unwrap();
    assert_eq!(value(&store, &ROWS, &partition, &key!["a", 2]).await, None, "the deletion is remembered");
}

#[tokio::test]
async fn a_second_opener_is_refused() {
    let dir = TempDir::new().unwrap();
    let first = open(dir.path());
    let text = refusal(dir.path());
    assert!(text.contains("in use by another Banyan") && text.contains(&std::process::id().to_string()), "{text}");
    drop(first);
    open(dir.path());
}

#[test]
fn a_strange_directory_is_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("photo.jpg"), "mine").unwrap();
    let text = refusal(dir.path());
    assert!(text.contains("photo.jpg"), "{text}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing was added");
    let file = dir.path().join("photo.jpg");
    assert!(refusal(&file).contains("photo.jpg"));
    assert_eq!(fs::read_to_string(file).unwrap(), "mine");
}

#[test]
fn a_damaged_directory_is_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    drop(open(dir.path()));
    let marker = dir.path().join("BANYAN");
    let good = fs::read_to_string(&marker).unwrap();
    fs::write(&marker, good.replace("format = 1", "format = 99")).unwrap();
    assert!(refusal(dir.path()).contains("newer Banyan"));
    fs::write(&marker, "?").unwrap();
    assert!(refusal(dir.path()).contains("damaged"));
    fs::write(&marker, &good).unwrap();
    fs::rename(dir.path().join("log"), dir.path().join("elsewhere")).unwrap();
    assert!(refusal(dir.path()).contains("log/ is missing"));
    assert!(!dir.path().join("log").exists(), "no empty one was made in its place");
    fs::rename(dir.path().join("elsewhere"), dir.path().join("log")).unwrap();
    let version = dir.path().join("log/version");
    let bytes = fs::read(&version).unwrap();
    fs::write(&version, "garbage").unwrap();
    assert!(refusal(dir.path()).contains("cannot be opened"));
    fs::write(&version, bytes).unwrap();
    drop(open(dir.path()));
}

#[test]
fn an_interrupted_first_start_goes_on() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("BANYAN"), "format = 1\ninstallation = abc\ncomplete = false\n").unwrap();
    assert_eq!(open(dir.path()).installation(), "abc");
}

#[tokio::test]
async fn old_marks_of_deleted_rows_go_when_files_are_sorted() {
    let dir = TempDir::new().unwrap();
    let clock = clock();
    let mut config = EmbeddedConfig::new(dir.path());
    config.memtable_bytes = 64 << 10;
    let store = EmbeddedStore::open(config, TABLES, Arc::new(clock.clone()), &SystemEntropy).unwrap();
    let (partition, row, old) = (key!["p"], key!["a", 1], key!["k"]);
    store.write(batch(&ROWS, partition.clone(), 20, vec![delete(row.clone())])).await.unwrap();
    let write = banyan_store::Write::Put { clustering: old, value: Bytes::from("v"), ttl: Some(Duration::from_secs(1)) };
    store.write(batch(&CACHE, partition.clone(), 20, vec![write])).await.unwrap();
    clock.advance(Duration::from_secs(3 * 24 * 3600));
    // Files are sorted together once there are some that overlap; how many that takes is the library's business.
    for n in 0..400 {
        let filler = (0..20).map(|m| put(key!["filler", (n * 7919 + m * 104_729) % 500], vec![b'x'; 1000])).collect();
        let neighbours = vec![put(key!["", 0], n.to_string()), put(key!["z", 0], n.to_string())];
        store.write(batch(&ROWS, partition.clone(), 30 + 2 * n, filler)).await.unwrap();
        store.write(batch(&ROWS, partition.clone(), 30 + 2 * n, neighbours)).await.unwrap();
        store.write(batch(&ROWS, partition.clone(), 10, vec![put(row.clone(), "late")])).await.unwrap();
        if value(&store, &ROWS, &partition, &row).await.is_some() {
            return;
        }
    }
    panic!("the mark of the deleted row was never purged");
}

/// Where [`appender`] is told to write.
const DIR: &str = "BANYAN_TEST_APPENDER_DIR";

/// Appends and says so until it is killed: the victim of the test below, which starts it.
#[tokio::test]
#[ignore = "started by a_kill_loses_nothing_acknowledged"]
#[expect(clippy::disallowed_methods, reason = "how the test's parent talks to it")]
async fn appender() {
    let store = open(&PathBuf::from(std::env::var(DIR).expect("a directory")));
    let tasks = (0..8).map(|shard| {
        let store = store.clone();
        tokio::spawn(async move {
            let log = LogId::rooms(ShardId(shard));
            store.create_head(log, 0, head(1, 0)).await.unwrap();
            for seq in 0..1024 {
                assert_eq!(store.append(log, &entries(1, seq, 1, u128::from(seq) + 1)).await.unwrap(), Cas::Applied);
                println!("\nappended {shard} {seq}");
            }
        })
    });
    futures::future::join_all(tasks).await;
    std::future::pending::<()>().await;
}

/// Runs [`appender`] until it has said `count` times that it appended, kills it, and tells how many entries of each log it acknowledged.
fn kill_after(dir: &Path, count: usize) -> Vec<u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "embedded::appender", "--ignored", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = vec![0_u64; 8];
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let read = |line: &str| -> Option<(usize, u64)> {
        let (shard, seq) = line.strip_prefix("appended ")?.split_once(' ')?;
        Some((shard.parse().ok()?, seq.parse().ok()?))
    };
    let mut seen = 0;
    while seen < count {
        let line = lines.next().expect("the appender goes on").unwrap();
        if let Some((shard, seq)) = read(&line) {
            acknowledged[shard] = seq + 1;
            seen += 1;
        }
    }
    child.kill().unwrap();
    // What it said before it died counts, too.
    for line in lines.map_while(Result::ok) {
        if let Some((shard, seq)) = read(&line) {
            acknowledged[shard] = seq + 1;
        }
    }
    child.wait().unwrap();
    acknowledged
}

/// Every log has at least so many entries, and its head stands at their end.
async fn check_logs(store: &EmbeddedStore, least: impl Iterator<Item = u64>) {
    for (shard, count) in (0..).zip(least) {
        let log = LogId::rooms(ShardId(shard));
        let rows = store.read_log(log, 0, LogSeq(0), 1024).await.unwrap();
        assert!(rows.len() as u64 >= count, "log {log}: {} of {count} entries", rows.len());
        assert_eq!(store.read_head(log, 0).await.unwrap().unwrap().next_seq.0, rows.len() as u64);
    }
}

#[tokio::test]
async fn a_kill_loses_nothing_acknowledged() {
    let dir = TempDir::new().unwrap();
    let acknowledged = kill_after(dir.path(), 400);
    check_logs(&open(dir.path()), acknowledged.into_iter()).await;
}

/// A journal with a few of the zeros behind it, and where they begin.
fn read_journal(path: &Path) -> (Vec<u8>, usize) {
    let mut whole = fs::read(path).unwrap();
    let end = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    whole.resize(end + 4096, 0);
    (whole, end)
}

/// What a power failure leaves of the last write: the rest is what the disk had synced.
#[tokio::test]
async fn a_torn_last_write_is_cut_off_and_the_rest_is_kept() {
    let dir = TempDir::new().unwrap();
    let acknowledged = kill_after(dir.path(), 100);
    let journal = dir.path().join("log/0.jnl");
    let (whole, end) = read_journal(&journal);
    // The last write had at most one entry of each log, for each log waits for its append.
    let least = || acknowledged.iter().map(|count| count.saturating_sub(1));
    for missing in [1, 2, 12, 13, 14, 40, 60] {
        fs::write(&journal, &whole[..end - missing]).unwrap();
        check_logs(&open(dir.path()), least()).await;
        let mut zeroed = whole.clone();
        zeroed[end - missing..].fill(0);
        fs::write(&journal, zeroed).unwrap();
        check_logs(&open(dir.path()), least()).await;
        let mut garbled = whole.clone();
        garbled[end - missing] ^= 0x55;
        fs::write(&journal, garbled).unwrap();
        check_logs(&open(dir.path()), least()).await;
    }
    fs::write(&journal, &whole).unwrap();
    let store = open(dir.path());
    check_logs(&store, acknowledged.iter().copied()).await;
    let log = LogId::rooms(ShardId(9));
    store.create_head(log, 0, head(1, 0)).await.unwrap();
    drop(store);
    assert!(open(dir.path()).read_head(log, 0).await.unwrap().is_some(), "it is written to again");
}

#[tokio::test]
async fn damage_before_the_end_is_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    let acknowledged = kill_after(dir.path(), 100);
    let journal = dir.path().join("log/0.jnl");
    let (whole, end) = read_journal(&journal);
    let mut garbled = whole.clone();
    garbled[end / 2..end / 2 + 64].fill(0x55);
    fs::write(&journal, &garbled).unwrap();
    assert!(refusal(dir.path()).contains("damaged"));
    assert!(fs::read(&journal).unwrap() == garbled, "nothing was changed");
    fs::write(&journal, &whole).unwrap();
    check_logs(&open(dir.path()), acknowledged.into_iter()).await;
}
