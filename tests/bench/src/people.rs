//! Accounts and rooms to load a homeserver with.

use futures::{StreamExt, TryStreamExt, stream};
use http::Method;
use serde_json::{Value, json};

use crate::connection::{Connection, RequestError};

/// Everyone's password.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Where a homeserver answers.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// `host:port` of the client-server API.
    pub(crate) address: String,
    /// Host header: the server name.
    pub(crate) host: String,
    /// The process that answers, where it is one.
    pub(crate) process: Option<u32>,
}

/// A logged-in device.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) server: Server,
    pub(crate) token: String,
    pub(crate) user_id: String,
    pub(crate) device_id: String,
}

impl Person {
    pub(crate) async fn register(server: &Server, localpart: &str) -> Result<Self, RequestError> {
        let body = json!({ "username": localpart, "password": PASSWORD, "auth": { "type": "m.login.dummy" } });
        let mut connection = Connection::new(&server.address, &server.host, "");
        let answer = connection.json(Method::POST, "/_matrix/client/v3/register", Some(&body)).await?;
        let [token, user_id, device_id] = ["access_token", "user_id", "device_id"].map(|field| text(&answer, field));
        Ok(Self { server: server.clone(), token, user_id, device_id })
    }

    /// Registers `count` people, a few at a time.
    pub(crate) async fn register_many(server: &Server, prefix: &str, count: usize) -> Result<Vec<Self>, RequestError> {
        let names = (0..count).map(|n| format!("{prefix}{n}"));
        stream::iter(names).map(|name| async move { Self::register(server, &name).await }).buffered(4).try_collect().await
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::new(&self.server.address, &self.server.host, &self.token)
    }

    pub(crate) async fn create_room(&self, connection: &mut Connection, body: &Value) -> Result<String, RequestError> {
        Ok(text(&connection.json(Method::POST, "/_matrix/client/v3/createRoom", Some(body)).await?, "room_id"))
    }

    /// Makes `count` rooms of a name, a topic and three messages each, a few at a time. Gives their ids.
    pub(crate) async fn make_rooms(&self, count: usize) -> Result<Vec<String>, RequestError> {
        let room = |n: usize| async move {
            let mut connection = self.connect();
            let body = json!({ "preset": "private_chat", "name": format!("Room {n}"), "topic": "One of many" });
            let room = self.create_room(&mut connection, &body).await?;
            for message in 0..3 {
                send(&mut connection, &room, &format!("m{message}")).await?;
            }
            Ok(room)
        };
        stream::iter((0..count).map(room)).buffer_unordered(8).try_collect().await
    }

    pub(crate) async fn join(&self, connection: &mut Connection, room: &str) -> Result<(), RequestError> {
        connection.raw(Method::POST, &format!("/_matrix/client/v3/rooms/{room}/join"), Some(&json!({}))).await.map(|_| ())
    }
}

/// Sends one text message.
pub(crate) async fn send(connection: &mut Connection, room: &str, txn: &str) -> Result<(), RequestError> {
    let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{txn}");
    let body = json!({ "msgtype": "m.text", "body": "The quick brown fox jumps over the lazy dog, and then some more of it." });
    connection.raw(Method::PUT, &path, Some(&body)).await.map(|_| ())
}

/// Syncs; gives the answer. `since` empty: initial.
pub(crate) async fn sync(connection: &mut Connection, since: &str, timeout_ms: u64) -> Result<Value, RequestError> {
    let since = if since.is_empty() { String::new() } else { format!("&since={since}") };
    connection.json(Method::GET, &format!("/_matrix/client/v3/sync?timeout={timeout_ms}{since}"), None).await
}

pub(crate) fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}
