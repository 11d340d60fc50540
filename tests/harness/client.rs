//! A small client of the client-server API for tests and the load generator. It works against any homeserver.

use std::{sync::Arc, time::Duration};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// What went wrong with a request.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No answer.
    #[error("no answer: {0}")]
    Transport(#[from] reqwest::Error),
    /// The server answered with an error.
    #[error("{method} {path}: {status} {body}")]
    Server {
        /// The request's method.
        method: Method,
        /// The request's path.
        path: String,
        /// HTTP status.
        status: StatusCode,
        /// The Matrix error object, or whatever came.
        body: Value,
    },
}

impl ClientError {
    /// The Matrix error code, if the server gave one.
    #[must_use]
    pub fn errcode(&self) -> Option<&str> {
        match self {
            Self::Server { body, .. } => body["errcode"].as_str(),
            Self::Transport(_) => None,
        }
    }

    /// The HTTP status, if the server answered.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Server { status, .. } => Some(status.as_u16()),
            Self::Transport(_) => None,
        }
    }

    /// Whether a client would try the same request again: no answer, or the server says that it cannot just now.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Transport(_) => true,
            Self::Server { status, .. } => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
        }
    }
}

/// A homeserver as a client sees it: a base URL and the server name to ask for.
#[derive(Clone, Debug)]
pub struct Homeserver {
    http: reqwest::Client,
    base: Arc<str>,
    host: Option<Arc<str>>,
}

impl Homeserver {
    /// The homeserver at `base`, for example `http://127.0.0.1:8008`.
    ///
    /// # Panics
    ///
    /// If the HTTP client cannot be set up.
    #[must_use]
    pub fn new(base: &str) -> Self {
        let http = reqwest::Client::builder().pool_max_idle_per_host(2048).tcp_nodelay(true).build();
        Self { http: http.expect("an HTTP client"), base: Arc::from(base.trim_end_matches('/')), host: None }
    }

    /// The same address, asked under another Host header: another tenant.
    #[must_use]
    pub fn with_host(&self, host: &str) -> Self {
        Self { host: Some(Arc::from(host)), ..self.clone() }
    }

    /// The base URL.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request and reads the JSON answer.
    ///
    /// # Errors
    ///
    /// No answer, or one with an error status.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Value, ClientError> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
        if let Some(host) = &self.host {
            request = request.header("Host", host.as_ref());
        }
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.timeout(Duration::from_secs(90)).send().await?;
        let status = response.status();
        let bytes = response.bytes().await?;
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        if status.is_success() {
            return Ok(body);
        }
        Err(ClientError::Server { method, path: path.to_owned(), status, body })
    }

    /// Registers an account with the dummy flow and logs it in.
    ///
    /// # Errors
    ///
    /// As [`Homeserver::request`].
    pub async fn register(&self, localpart: &str) -> Result<Session, ClientError> {
        let body =
            json!({ "username": localpart, "password": format!("password of {localpart}"), "auth": { "type": "m.login.dummy" } });
        let answer = self.request(Method::POST, "/_matrix/client/v3/register", None, Some(&body)).await?;
        Ok(Session::from_login(self.clone(), &answer))
    }

    /// Logs in with the password that [`Homeserver::register`] gave.
    ///
    /// # Errors
    ///
    /// As [`Homeserver::request`].
    pub async fn login(&self, localpart: &str) -> Result<Session, ClientError> {
        let body = json!({
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": localpart },
            "password": format!("password of {localpart}"),
        });
        let answer = self.request(Method::POST, "/_matrix/client/v3/login", None, Some(&body)).await?;
        Ok(Session::from_login(self.clone(), &answer))
    }
}

/// A logged-in device.
#[derive(Clone, Debug)]
pub struct Session {
    /// Where it is logged in.
    pub server: Homeserver,
    /// The user.
    pub user_id: String,
    /// The device.
    pub device_id: String,
    /// The access token.
    pub token: String,
}

impl Session {
    fn from_login(server: Homeserver, answer: &Value) -> Self {
        let field = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Self { server, user_id: field("user_id"), device_id: field("device_id"), token: field("access_token") }
    }

    /// The same device at another address of the same installation.
    #[must_use]
    pub fn at(&self, server: &Homeserver) -> Self {
        Self { server: server.clone(), ..self.clone() }
    }

    /// GET.
    ///
    /// # Errors
    ///
    /// As [`Homeserver::request`].
    pub async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.server.request(Method::GET, path, Some(&self.token), None).await
    }

    /// POST.
    ///
    /// # Errors
    ///
    /// As [`Homeserver::request`].
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.server.request(Method::POST, path, Some(&self.token), Some(body)).await
    }

    /// PUT.
    ///
    /// # Errors
    ///
    /// As [`Homeserver::request`].
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.server.request(Method::PUT, path, Some(&self.token), Some(body)).await
    }

    /// Makes a room; gives its id.
    ///
    /// # Errors
    ///
    /// As [`Homeserver::request`].
    pub async fn create_room(&self, body: &Value) -> Result<String, ClientError> {
        let answer = self.post("/_matrix/client/v3/createRoom", body).await?;
        Ok(answer["room_id"].as_str().unwrap_or_default().to_owned())
    }

    /// Invites a user.
    ///
    /// # Errors
    ///
    /// As [`Homeserver::request`].
    pub async fn invite(&self, room: &str, user: &str) -> Result<(), ClientError> {
        self.post(&format!("/_matrix/client/v3/rooms/{room}/invite"), &json!({ "user_id": user })).await.map(|_| ())
    }

    /// Joins a room.
    ///
    /// # Errors
    ///
    /// As [`Homeserver::request`].
    pub async fn join(&self, room: &str) -> Result<(), ClientError> {
        self.post(&format!("/_matrix/client/v3/rooms/{room}/join"), &json!({})).await.map(|_| ())
    }

    /// Sends a text message once; gives its event id.
    ///
    /// # Errors
    ///
    /// As [`Homeserver::request`].
    pub async fn send(&self, room: &str, txn: &str, text: &str) -> Result<String, ClientError> {
        let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{txn}");
        let answer = self.put(&path, &json!({ "msgtype": "m.text", "body": text })).await?;
        Ok(answer["event_id"].as_str().unwrap_or_default().to_owned())
    }

    /// Syncs. `since` empty: an initial sync.
    ///
    /// # Errors
    ///
    /// As [`Homeserver::request`].
    pub async fn sync(&self, since: &str, timeout: Duration, filter: Option<&Value>) -> Result<Value, ClientError> {
        let mut path = format!("/_matrix/client/v3/sync?timeout={}", timeout.as_millis());
        if !since.is_empty() {
            path = format!("{path}&since={since}");
        }
        if let Some(filter) = filter {
            path = format!("{path}&filter={}", percent(&filter.to_string()));
        }
        self.get(&path).await
    }
}

/// Percent-encodes everything but unreserved characters.
#[must_use]
pub fn percent(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
