//! End-to-end keys: a query about many users, one-time keys that are claimed, and messages to many devices.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use http::Method;
use serde_json::{Map, Value, json};

use super::{rate, sends::now};
use crate::{
    connection::RequestError,
    people::{Person, Server},
    report::{Figure, Times},
};

/// One-time keys of each device. Once all are claimed, the fallback key is given.
const ONE_TIME_KEYS: usize = 50;
/// People who claim at a time.
const CLAIMERS: usize = 64;
/// Times that a query is made, and a message sent.
const TIMES: usize = 30;
const ALGORITHM: &str = "signed_curve25519";

/// Registers `count` people with the keys of a device each and measures.
pub(crate) async fn run(server: &Server, count: usize, length: Duration) -> Result<Vec<Figure>, RequestError> {
    let people = Person::register_many(server, "keys", count).await?;
    stream::iter(people.iter().map(upload)).buffer_unordered(8).try_collect::<()>().await?;
    let Some(asker) = people.first() else { return Ok(Vec::new()) };
    let everyone: Map<String, Value> = people.iter().map(|person| (person.user_id.clone(), json!([]))).collect();
    let query = json!({ "device_keys": everyone });
    let query = repeated(asker, |_| (Method::POST, "/_matrix/client/v3/keys/query".to_owned(), Some(query.clone()))).await?;
    let message = json!({ "n": "The quick brown fox jumps over the lazy dog" });
    let messages: Map<String, Value> =
        people.iter().map(|person| (person.user_id.clone(), json!({ person.device_id.as_str(): message }))).collect();
    let messages = json!({ "messages": messages });
    let path = |n: usize| format!("/_matrix/client/v3/sendToDevice/org.example.bench/t{n}");
    let sent = repeated(asker, |n| (Method::PUT, path(n), Some(messages.clone()))).await?;
    let mut figures = vec![
        Figure::millis(format!("keys/query, {count} users, p50"), query.at(0.5)),
        Figure::millis(format!("keys/query, {count} users, p99"), query.at(0.99)),
        Figure::millis(format!("a message to {count} devices, p50"), sent.at(0.5)),
        Figure::millis(format!("a message to {count} devices, p99"), sent.at(0.99)),
    ];
    figures.extend(claims(&people, length).await?);
    Ok(figures)
}

/// Each claims of others in turn, starting with somebody else.
async fn claims(people: &[Person], length: Duration) -> Result<Vec<Figure>, RequestError> {
    let claimers = &people[..people.len().min(CLAIMERS)];
    let devices: Vec<(String, String)> = people.iter().map(|person| (person.user_id.clone(), person.device_id.clone())).collect();
    let step = claimers.len();
    let request = move |claimer: usize, n: usize| {
        let (user_id, device_id) = &devices[(claimer + n * step) % devices.len()];
        let wanted = json!({ "one_time_keys": { user_id.as_str(): { device_id.as_str(): ALGORITHM } } });
        (Method::POST, "/_matrix/client/v3/keys/claim".to_owned(), Some(wanted))
    };
    rate::run("one-time-key claims", claimers, length, request).await
}

async fn upload(person: &Person) -> Result<(), RequestError> {
    let Person { user_id, device_id, .. } = person;
    let key = |n: usize| (format!("{ALGORITHM}:k{n}"), signed(person, &format!("{n:0>43}")));
    let one_time: Map<String, Value> = (0..ONE_TIME_KEYS).map(key).collect();
    let mut fallback = signed(person, &"f".repeat(43));
    fallback["fallback"] = json!(true);
    let keys = json!({ format!("ed25519:{device_id}"): "e".repeat(43), format!("curve25519:{device_id}"): "c".repeat(43) });
    let algorithms = ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"];
    let signatures = json!({ user_id.as_str(): { format!("ed25519:{device_id}"): "s".repeat(86) } });
    let device =
        json!({ "user_id": user_id, "device_id": device_id, "algorithms": algorithms, "keys": keys, "signatures": signatures });
    let fallback = json!({ format!("{ALGORITHM}:f"): fallback });
    let body = json!({ "device_keys": device, "one_time_keys": one_time, "fallback_keys": fallback });
    person.connect().raw(Method::POST, "/_matrix/client/v3/keys/upload", Some(&body)).await.map(|_| ())
}

/// A key as clients make them. No server looks at what it is made of.
fn signed(person: &Person, key: &str) -> Value {
    let signature = json!({ format!("ed25519:{}", person.device_id): "s".repeat(86) });
    json!({ "key": key, "signatures": { person.user_id.as_str(): signature } })
}

async fn repeated(person: &Person, request: impl Fn(usize) -> rate::Request) -> Result<Times, RequestError> {
    let (mut connection, mut times) = (person.connect(), Times::new());
    for n in 0..TIMES {
        let (method, path, body) = request(n);
        let started = now();
        connection.raw(method, &path, body.as_ref()).await?;
        times.record(started.elapsed());
    }
    Ok(times)
}
