//! Sends per second: `senders` people, each waiting for its answer before the next, over so many rooms.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use serde_json::json;
use tokio::time::Instant as Deadline;

use crate::{
    connection::RequestError,
    people::{Person, Server, send},
    report::{Better, Figure, Times},
    target::cpu_time,
};

/// Loads the servers (of one installation, used in turn) for `length` and gives sends per second and the time of one send.
pub(crate) async fn run(servers: &[Server], senders: usize, rooms: usize, length: Duration) -> Result<Vec<Figure>, RequestError> {
    let mut people = Person::register_many(&servers[0], &format!("s{rooms}x"), senders).await?;
    people.iter_mut().zip(servers.iter().cycle()).for_each(|(person, server)| person.server = server.clone());
    let rooms = make_rooms(&people, rooms).await?;
    // Everyone is warm before the clock starts.
    load(&people, &rooms, Duration::from_secs(2), "warm").await?;
    let (started, cpu_before) = (now(), cpu_times(servers));
    let times = load(&people, &rooms, length, "run").await?;
    let (seconds, cpu_after) = (started.elapsed().as_secs_f64(), cpu_times(servers));
    let sent: u64 = times.iter().map(|(count, _)| count).sum();
    let mut all = Times::new();
    times.iter().for_each(|(_, times)| all.merge(times));
    let what = if rooms.len() == 1 { "one room".to_owned() } else { format!("{} rooms", rooms.len()) };
    let rate = u32::try_from(sent).map_or(f64::MAX, f64::from) / seconds;
    let mut figures = vec![
        Figure::new(format!("sends per second, {senders} senders in {what}"), rate, "/s", Better::More),
        Figure::millis(format!("one send, {senders} senders in {what}, p50"), all.at(0.5)),
        Figure::millis(format!("one send, {senders} senders in {what}, p99"), all.at(0.99)),
    ];
    if let (Some(before), Some(after)) = (cpu_before, cpu_after) {
        let micros = |used: Duration| used.as_secs_f64() * 1e6 / (rate * seconds);
        let figure = |name: String, used| Figure::new(name, micros(used), "µs", Better::Less);
        figures.push(figure(format!("CPU time of the server per send, {what}"), after.0 - before.0));
        figures.push(figure(format!("CPU time of the load generator per send, {what}"), after.1 - before.1));
    }
    Ok(figures)
}

/// CPU time that a server and this program have taken so far.
fn cpu_times(servers: &[Server]) -> Option<(Duration, Duration)> {
    let [server] = servers else { return None };
    Some((cpu_time(server.process?).ok()?, cpu_time(std::process::id()).ok()?))
}

/// Rooms in which everyone who sends there is joined: sender n sends in room n modulo their number.
pub(crate) async fn make_rooms(people: &[Person], count: usize) -> Result<Vec<String>, RequestError> {
    let mut rooms = Vec::with_capacity(count);
    for (n, person) in people.iter().enumerate() {
        let mut connection = person.connect();
        if n < count {
            rooms.push(person.create_room(&mut connection, &json!({ "preset": "public_chat" })).await?);
        } else {
            person.join(&mut connection, &rooms[n % count]).await?;
        }
    }
    Ok(rooms)
}

async fn load(people: &[Person], rooms: &[String], length: Duration, tag: &str) -> Result<Vec<(u64, Times)>, RequestError> {
    let end = Deadline::now() + length;
    try_join_all(people.iter().enumerate().map(|(n, person)| {
        let room = rooms[n % rooms.len()].clone();
        let (person, tag) = (person.clone(), tag.to_owned());
        async move {
            let sender = tokio::spawn(async move {
                let mut connection = person.connect();
                let (mut count, mut times) = (0, Times::new());
                while Deadline::now() < end {
                    let started = now();
                    send(&mut connection, &room, &format!("{tag}{count}")).await?;
                    times.record(started.elapsed());
                    count += 1;
                }
                Ok::<_, RequestError>((count, times))
            });
            sender.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
        }
    }))
    .await
}

#[expect(clippy::disallowed_methods, reason = "a load generator measures real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
