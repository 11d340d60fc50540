//! Many idle long polls in one room, and one message that wakes them all.

use futures::{StreamExt, TryStreamExt, future::try_join_all, stream};
use serde_json::json;

use super::sends::now;
use crate::{
    connection::RequestError,
    people::{Person, Server, send, sync, text},
    report::{Figure, Times},
};

/// Time from the start of the send until each of `readers` has its answer.
pub(crate) async fn run(server: &Server, readers: usize) -> Result<Vec<Figure>, RequestError> {
    let writer = Person::register(server, "wakewriter").await?;
    let mut writing = writer.connect();
    let room = writer.create_room(&mut writing, &json!({ "preset": "public_chat" })).await?;
    let people = Person::register_many(server, "wake", readers).await?;
    let waiting: Vec<_> = stream::iter(people)
        .map(|person| {
            let room = room.clone();
            async move {
                let mut connection = person.connect();
                person.join(&mut connection, &room).await?;
                Ok::<_, RequestError>(connection)
            }
        })
        .buffered(8)
        .try_collect()
        .await?;
    // Tokens are taken after the last join, so that nothing but the message wakes anyone.
    let waiting: Vec<_> = stream::iter(waiting)
        .map(|mut connection| async move {
            let since = text(&sync(&mut connection, "", 0).await?, "next_batch");
            Ok::<_, RequestError>((connection, since))
        })
        .buffered(8)
        .try_collect()
        .await?;
    let polls: Vec<_> = waiting
        .into_iter()
        .map(|(mut connection, since)| {
            tokio::spawn(async move {
                let answer = sync(&mut connection, &since, 60_000).await?;
                Ok::<_, RequestError>((now(), answer["rooms"]["join"].is_object()))
            })
        })
        .collect();
    // Long enough for every poll to have arrived.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let started = now();
    send(&mut writing, &room, "wake").await?;
    let mut times = Times::new();
    let mut woken = 0;
    for poll in try_join_all(polls).await.unwrap_or_default() {
        let (at, has_room) = poll?;
        woken += usize::from(has_room);
        times.record(at.saturating_duration_since(started));
    }
    assert_eq!(woken, readers, "some polls ended without the message");
    Ok(vec![
        Figure::millis(format!("one message to {readers} idle long polls, p50"), times.at(0.5)),
        Figure::millis(format!("one message to {readers} idle long polls, p99"), times.at(0.99)),
        Figure::millis(format!("one message to {readers} idle long polls, last"), times.max()),
    ])
}
