//! From the start of a send to the moment another client's /sync answer with it is read.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use serde_json::json;
use tokio::{sync::mpsc, time::Instant as Deadline};

use super::sends::now;
use crate::{
    connection::{Connection, RequestError},
    people::{Person, Server, send, sync, text},
    report::{Figure, Times},
};

/// One reader waits in a room where one writer sends every `pause`; others send `background` messages a second elsewhere.
pub(crate) async fn run(server: &Server, background: f64, messages: usize, label: &str) -> Result<Vec<Figure>, RequestError> {
    let tag: String = label.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let people = Person::register_many(server, &format!("d{tag}"), 2).await?;
    let (writer, reader) = (&people[0], &people[1]);
    let mut writing = writer.connect();
    let room = writer.create_room(&mut writing, &json!({ "preset": "public_chat" })).await?;
    let mut reading = reader.connect();
    reader.join(&mut reading, &room).await?;
    let since = text(&sync(&mut reading, "", 0).await?, "next_batch");

    let noise = if background > 0.0 { Some(start_noise(server, background, &tag).await?) } else { None };
    let (seen, mut arrivals) = mpsc::channel(64);
    let follower = tokio::spawn(follow(reading, since, room.clone(), seen));
    let mut times = Times::new();
    for n in 0..messages {
        let started = now();
        send(&mut writing, &room, &format!("{tag}{n}")).await?;
        let Some(at) = arrivals.recv().await else { break };
        times.record(at.saturating_duration_since(started));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    follower.abort();
    for task in noise.into_iter().flatten() {
        task.abort();
    }
    Ok(vec![
        Figure::millis(format!("send to another client's sync, {label}, p50"), times.at(0.5)),
        Figure::millis(format!("send to another client's sync, {label}, p99"), times.at(0.99)),
    ])
}

/// Syncs for ever and tells when each message arrived.
async fn follow(
    mut connection: Connection,
    mut since: String,
    room: String,
    seen: mpsc::Sender<Instant>,
) -> Result<(), RequestError> {
    loop {
        let answer = sync(&mut connection, &since, 30_000).await?;
        let at = now();
        let events = answer["rooms"]["join"][&room]["timeline"]["events"].as_array().cloned().unwrap_or_default();
        for _ in events.iter().filter(|event| event["type"] == "m.room.message") {
            if seen.send(at).await.is_err() {
                return Ok(());
            }
        }
        since = text(&answer, "next_batch");
    }
}

type Task = tokio::task::JoinHandle<Result<(), RequestError>>;

async fn start_noise(server: &Server, per_second: f64, tag: &str) -> Result<Vec<Task>, RequestError> {
    let people = Person::register_many(server, &format!("n{tag}"), 32).await?;
    let rooms = try_join_all(people.iter().map(|person| async move {
        let mut connection = person.connect();
        person.create_room(&mut connection, &json!({ "preset": "public_chat" })).await
    }))
    .await?;
    let pause = Duration::from_secs_f64(32.0 / per_second);
    let tasks = people.into_iter().zip(rooms).map(|(person, room)| {
        tokio::spawn(async move {
            let mut connection = person.connect();
            let mut due = Deadline::now();
            for n in 0_u64.. {
                tokio::time::sleep_until(due).await;
                send(&mut connection, &room, &format!("noise{n}")).await?;
                due += pause;
            }
            Ok(())
        })
    });
    Ok(tasks.collect())
}
