//! Requests per second of any kind.

use std::time::Duration;

use futures::future::try_join_all;
use http::Method;
use serde_json::Value;
use tokio::time::Instant as Deadline;

use super::sends::now;
use crate::{
    connection::RequestError,
    people::Person,
    report::{Better, Figure, Times},
};

/// A request: method, path and body.
pub(crate) type Request = (Method, String, Option<Value>);

/// Lets `people` ask for `length`, each waiting for its answer before the next, and gives how many answers came per second and the time of
/// one. `request` makes the request number `n` of a person.
pub(crate) async fn run(
    what: &str,
    people: &[Person],
    length: Duration,
    request: impl Fn(usize, usize) -> Request + Clone + Send + 'static,
) -> Result<Vec<Figure>, RequestError> {
    let (started, end) = (now(), Deadline::now() + length);
    let all = try_join_all(people.iter().cloned().enumerate().map(|(person, asking)| {
        let request = request.clone();
        let asker = tokio::spawn(async move {
            let (mut connection, mut times, mut count) = (asking.connect(), Times::new(), 0);
            while Deadline::now() < end {
                let (method, path, body) = request(person, count);
                let started = now();
                connection.raw(method, &path, body.as_ref()).await?;
                times.record(started.elapsed());
                count += 1;
            }
            Ok::<_, RequestError>((count, times))
        });
        async move { asker.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())) }
    }))
    .await?;
    let seconds = started.elapsed().as_secs_f64();
    let mut times = Times::new();
    all.iter().for_each(|(_, own)| times.merge(own));
    let count = u32::try_from(all.iter().map(|(count, _)| count).sum::<usize>()).map_or(f64::MAX, f64::from);
    Ok(vec![
        Figure::new(format!("{what} per second, {} connections", people.len()), count / seconds, "/s", Better::More),
        Figure::millis(format!("{what}, p99"), times.at(0.99)),
    ])
}
