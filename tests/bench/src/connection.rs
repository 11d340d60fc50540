//! One HTTP/1.1 connection, as cheap as can be: the load generator shares the cores with the server it measures.

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
    #[error("no answer: {0}")]
    Http(#[from] hyper::Error),
    #[error("not a request: {0}")]
    Request(#[from] http::Error),
    #[error("{status}: {body}")]
    Status { status: StatusCode, body: String },
    #[error("not JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// A kept-alive connection of one logged-in device.
pub(crate) struct Connection {
    address: String,
    host: String,
    token: String,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    /// A connection to `address` (`host:port`) that asks for server name `host` with an access token (may be empty).
    pub(crate) fn new(address: &str, host: &str, token: &str) -> Self {
        Self { address: address.to_owned(), host: host.to_owned(), token: token.to_owned(), sender: None }
    }

    async fn sender(&mut self) -> Result<&mut SendRequest<Full<Bytes>>, RequestError> {
        if self.sender.as_ref().is_none_or(SendRequest::is_closed) {
            let stream = TcpStream::connect(&self.address).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = handshake(TokioIo::new(stream)).await?;
            // Ends by itself when the sender is dropped.
            tokio::spawn(connection);
            self.sender = Some(sender);
        }
        match self.sender.as_mut() {
            Some(sender) => Ok(sender),
            None => Err(RequestError::Connect(std::io::ErrorKind::NotConnected.into())),
        }
    }

    /// Sends a request and gives the body of a 200.
    pub(crate) async fn raw(&mut self, method: Method, path: &str, body: Option<&Value>) -> Result<Bytes, RequestError> {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, &self.host);
        if !self.token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request.header(header::CONTENT_TYPE, "application/json").body(Full::from(body))?;
        let sender = self.sender().await?;
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if status.is_success() {
            return Ok(body);
        }
        Err(RequestError::Status { status, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// As [`Connection::raw`], with the body read as JSON.
    pub(crate) async fn json(&mut self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, RequestError> {
        Ok(serde_json::from_slice(&self.raw(method, path, body).await?)?)
    }
}
