//! Sends per second: `senders` people, each waiting for its answer before the next, over so many rooms.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use serde_json::json;
use tokio::time::Instant as Deadline;

use crate::{
    connection::RequestError,
    people::{Person, Server, send},
    report::{Better, Figure, Times},
};

/// Loads the server for `length` and gives sends per second and the time of one send.
pub(crate) async fn run(server: &Server, senders: usize, rooms: usize, length: Duration) -> Result<Vec<Figure>, RequestError> {
    let people = Person::register_many(server, &format!("s{rooms}x"), senders).await?;
    let rooms = make_rooms(&people, rooms).await?;
    // Everyone is warm before the clock starts.
    load(&people, &rooms, Duration::from_secs(2), "warm").await?;
    let started = now();
    let times = load(&people, &rooms, length, "run").await?;
    let seconds = started.elapsed().as_secs_f64();
    let sent: u64 = times.iter().map(|(count, _)| count).sum();
    let mut all = Times::new();
    times.iter().for_each(|(_, times)| all.merge(times));
    let what = if rooms.len() == 1 { "one room".to_owned() } else { format!("{} rooms", rooms.len()) };
    let rate = u32::try_from(sent).map_or(f64::MAX, f64::from) / seconds;
    Ok(vec![
        Figure::new(format!("sends per second, {senders} senders in {what}"), rate, "/s", Better::More),
        Figure::millis(format!("one send, {senders} senders in {what}, p50"), all.at(0.5)),
        Figure::millis(format!("one send, {senders} senders in {what}, p99"), all.at(0.99)),
    ])
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
