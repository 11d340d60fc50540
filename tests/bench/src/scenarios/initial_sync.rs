//! An initial sync of someone in many rooms.

use http::Method;
use serde_json::Value;

use super::sends::now;
use crate::{
    connection::RequestError,
    people::Person,
    report::{Better, Figure, Times},
};

/// Time of an initial sync of a person in `rooms` rooms of a name, a topic and a few messages each.
pub(crate) async fn run(person: &Person, rooms: usize) -> Result<Vec<Figure>, RequestError> {
    let mut connection = person.connect();
    let mut times = Times::new();
    let mut bytes = 0;
    for _ in 0..5 {
        let started = now();
        let body = connection.raw(Method::GET, "/_matrix/client/v3/sync?timeout=0", None).await?;
        times.record(started.elapsed());
        bytes = body.len();
        let answer: Value = serde_json::from_slice(&body)?;
        assert_eq!(answer["rooms"]["join"].as_object().map_or(0, serde_json::Map::len), rooms, "rooms are missing");
    }
    let megabytes = u32::try_from(bytes).map_or(f64::MAX, f64::from) / 1e6;
    Ok(vec![
        Figure::millis(format!("initial sync with {rooms} rooms, median of 5"), times.at(0.5)),
        Figure::new(format!("initial sync with {rooms} rooms, size"), megabytes, "MB", Better::Less),
    ])
}
