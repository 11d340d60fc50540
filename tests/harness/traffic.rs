//! Rooms that receive messages all the time, each with one sender and one reader who checks everything.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::{BoxFuture, FutureExt as _, try_join_all};
use serde_json::{Value, json};
use tokio::{sync::Mutex, task::JoinHandle};

use crate::{ClientError, Homeserver, Session};

/// How long a client goes on trying: longer than any failure that a test makes.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a room's sender was told.
#[derive(Debug, Default)]
struct Acknowledged {
    /// Event ids by message number.
    events: Vec<String>,
    /// The longest time from one acknowledgement to the next since the last [`Traffic::longest_stall`].
    stall: Duration,
    last: Option<Instant>,
}

/// A room under load.
struct Room {
    id: String,
    acknowledged: Arc<Mutex<Acknowledged>>,
    /// Event id and message number in the order in which the reader's syncs brought them.
    received: Arc<Mutex<Vec<(String, usize)>>>,
    sender: JoinHandle<()>,
    reader: JoinHandle<()>,
    witness: Session,
}

/// Rooms under load.
pub struct Traffic {
    rooms: Vec<Room>,
    stop_sending: Arc<AtomicBool>,
}

impl Traffic {
    /// Makes `rooms` rooms and begins to send in each. Senders and readers use the servers in turn, and go to the next one when a
    /// request fails, as a load balancer would make them.
    ///
    /// # Errors
    /// An account or room cannot be made.
    pub async fn start(servers: &[Homeserver], rooms: usize, tag: &str) -> Result<Self, ClientError> {
        let stop_sending = Arc::new(AtomicBool::new(false));
        let started = (0..rooms).map(|n| start_room(servers, n, tag, stop_sending.clone()));
        Ok(Self { rooms: try_join_all(started).await?, stop_sending })
    }

    /// The longest time that any sender waited for an acknowledgement since the last call.
    pub async fn longest_stall(&self) -> Duration {
        let mut longest = Duration::ZERO;
        for room in &self.rooms {
            let mut acknowledged = room.acknowledged.lock().await;
            let waiting = acknowledged.last.map_or(Duration::ZERO, |last| last.elapsed());
            longest = longest.max(acknowledged.stall).max(waiting);
            acknowledged.stall = Duration::ZERO;
        }
        longest
    }

    /// Waits until every room has `more` acknowledged messages more than now: the installation works again.
    ///
    /// # Panics
    /// If it takes too long.
    pub async fn progress(&self, more: usize) {
        for room in &self.rooms {
            let goal = room.acknowledged.lock().await.events.len() + more;
            let wait = async {
                while room.acknowledged.lock().await.events.len() < goal {
                    assert!(!room.sender.is_finished(), "the sender of {} gave up", room.id);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "no progress in {}", room.id);
        }
    }

    /// Ends the load and checks each room: what was acknowledged, what the reader's syncs brought and what /messages tells are the
    /// same events, each once, in order. Gives how many there were.
    ///
    /// # Panics
    /// If a message was lost, doubled or out of order, or a client does not converge.
    pub async fn finish(self) -> usize {
        self.stop_sending.store(true, Ordering::SeqCst);
        let mut total = 0;
        for room in self.rooms {
            total += room.finish().await;
        }
        total
    }
}

async fn start_room(servers: &[Homeserver], n: usize, tag: &str, stop: Arc<AtomicBool>) -> Result<Room, ClientError> {
    let servers: Vec<Homeserver> = servers.iter().cycle().skip(n % servers.len()).take(servers.len()).cloned().collect();
    let sender = servers[0].register(&format!("{tag}-sender-{n}")).await?;
    let reader = servers[0].register(&format!("{tag}-reader-{n}")).await?;
    let id = sender.create_room(&json!({ "preset": "public_chat", "name": format!("Room {n}") })).await?;
    reader.join(&id).await?;
    let answer = reader.sync("", Duration::ZERO, None).await?;
    let since = answer["next_batch"].as_str().unwrap_or_default().to_owned();
    let acknowledged = Arc::new(Mutex::new(Acknowledged::default()));
    let received = Arc::new(Mutex::new(Vec::new()));
    let sending = send_all(Devices::new(&sender, &servers), id.clone(), acknowledged.clone(), stop);
    let reading = read_all(Devices::new(&reader, &servers), id.clone(), since, received.clone());
    Ok(Room { id, acknowledged, received, sender: tokio::spawn(sending), reader: tokio::spawn(reading), witness: reader })
}

impl Room {
    async fn finish(self) -> usize {
        let ended = tokio::time::timeout(PATIENCE, self.sender).await.expect("the sender ends");
        ended.expect("the sender was acknowledged every message");
        let acknowledged = std::mem::take(&mut self.acknowledged.lock().await.events);
        let expected: Vec<(String, usize)> = acknowledged.into_iter().enumerate().map(|(n, id)| (id, n)).collect();
        let converged = async {
            while self.received.lock().await.len() < expected.len() {
                assert!(!self.reader.is_finished(), "the reader of {} gave up", self.id);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, converged).await;
        self.reader.abort();
        let received = self.received.lock().await.clone();
        assert!(in_time.is_ok(), "{}: {} acknowledged, {} received", self.id, expected.len(), received.len());
        assert_eq!(received, expected, "{}: what syncs brought", self.id);
        assert_eq!(history(&self.witness, &self.id).await, expected, "{}: what /messages tells", self.id);
        expected.len()
    }
}

/// One device at several addresses of an installation.
struct Devices {
    sessions: Vec<Session>,
    current: usize,
}

impl Devices {
    fn new(session: &Session, servers: &[Homeserver]) -> Self {
        Self { sessions: servers.iter().map(|server| session.at(server)).collect(), current: 0 }
    }

    /// Tries until it works, at the next address each time; what will never work panics.
    async fn persist<T: Send>(&mut self, request: impl Fn(Session) -> BoxFuture<'static, Result<T, ClientError>> + Send) -> T {
        let trying = async {
            loop {
                match request(self.sessions[self.current].clone()).await {
                    Ok(answer) => return answer,
                    Err(error) if error.is_passing() => {
                        self.current = (self.current + 1) % self.sessions.len();
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, trying).await.expect("the installation works again")
    }
}

async fn send_all(mut devices: Devices, room: String, acknowledged: Arc<Mutex<Acknowledged>>, stop: Arc<AtomicBool>) {
    let mut n = 0_usize;
    while !stop.load(Ordering::SeqCst) {
        // The same transaction id until it is acknowledged.
        let request = |session: Session| {
            let room = room.clone();
            async move { session.send(&room, &format!("t{n}"), &n.to_string()).await }.boxed()
        };
        let id = devices.persist(request).await;
        let mut acknowledged = acknowledged.lock().await;
        let now = now();
        let waited = acknowledged.last.map_or(Duration::ZERO, |last| now.duration_since(last));
        acknowledged.stall = acknowledged.stall.max(waited);
        acknowledged.last = Some(now);
        acknowledged.events.push(id);
        drop(acknowledged);
        n += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn read_all(mut devices: Devices, room: String, mut since: String, received: Arc<Mutex<Vec<(String, usize)>>>) {
    loop {
        let request = |session: Session| {
            let since = since.clone();
            async move { session.sync(&since, Duration::from_secs(5), None).await }.boxed()
        };
        let answer = devices.persist(request).await;
        let timeline = &answer["rooms"]["join"][&room]["timeline"];
        let mut new = messages(timeline["events"].as_array());
        if timeline["limited"] == true {
            // What the server left out lies between the last message seen and prev_batch.
            let from = timeline["prev_batch"].as_str().unwrap_or_default().to_owned();
            let seen = received.lock().await.last().map(|(id, _)| id.clone());
            let request = |session: Session| {
                let (room, from, seen) = (room.clone(), from.clone(), seen.clone());
                async move { backwards(&session, &room, Some(&from), seen.as_deref()).await }.boxed()
            };
            let mut missed = devices.persist(request).await;
            missed.append(&mut new);
            new = missed;
        }
        received.lock().await.append(&mut new);
        since = answer["next_batch"].as_str().unwrap_or_default().to_owned();
    }
}

/// The room's messages from its beginning, by /messages.
async fn history(session: &Session, room: &str) -> Vec<(String, usize)> {
    backwards(session, room, None, None).await.expect("the room's history")
}

/// Messages before `from` (the end without one) and after event `until` (the beginning without one), oldest first.
async fn backwards(
    session: &Session,
    room: &str,
    from: Option<&str>,
    until: Option<&str>,
) -> Result<Vec<(String, usize)>, ClientError> {
    let mut found: Vec<(String, usize)> = Vec::new();
    let mut from = from.map(str::to_owned);
    loop {
        let from_part = from.as_ref().map(|token| format!("&from={token}")).unwrap_or_default();
        let answer = session.get(&format!("/_matrix/client/v3/rooms/{room}/messages?dir=b&limit=100{from_part}")).await?;
        for event in answer["chunk"].as_array().into_iter().flatten() {
            if until.is_some_and(|until| event["event_id"] == until) {
                found.reverse();
                return Ok(found);
            }
            found.extend(message(event));
        }
        match answer["end"].as_str() {
            Some(end) => from = Some(end.to_owned()),
            None => break,
        }
    }
    found.reverse();
    Ok(found)
}

fn messages(events: Option<&Vec<Value>>) -> Vec<(String, usize)> {
    events.into_iter().flatten().filter_map(message).collect()
}

fn message(event: &Value) -> Option<(String, usize)> {
    if event["type"] != "m.room.message" {
        return None;
    }
    Some((event["event_id"].as_str()?.to_owned(), event["content"]["body"].as_str()?.parse().ok()?))
}

#[expect(clippy::disallowed_methods, reason = "stalls are told in real time; nothing is asserted about them")]
fn now() -> Instant {
    Instant::now()
}
