//! Requests to servers that are no homeservers: identity servers, services that tell people from programs, upstream providers. Only
//! those that the configuration names are ever asked.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use banyan_core::ServiceError;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// What is asked.
#[derive(Clone, Copy)]
pub enum Question<'a> {
    /// A GET.
    Nothing,
    /// A POST of JSON.
    Json(&'a Value),
    /// A POST of a form.
    Form(&'a [(&'a str, &'a str)]),
}

impl fmt::Debug for Question<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Question")
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoAnswer(String);

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for NoAnswer {}

/// Sends them.
#[derive(Clone, Debug)]
pub struct Outbound {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
}

impl Outbound {
    /// Trusts the certificates of the system. No answer takes longer than `timeout`, and none leads on to elsewhere.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(timeout: Duration) -> Result<Self, rustls::Error> {
        let mut roots = rustls::RootCertStore::empty();
        // Without any, servers without TLS can still be asked.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), timeout })
    }

    /// Asks, with a bearer token if there is one, and reads the JSON that is answered; `Null` for what is none.
    ///
    /// # Errors
    /// `Unavailable` if the server does not answer, or answers too much. The log says why; the client is told that it was `who`.
    pub async fn ask(
        &self,
        who: &'static str,
        address: &str,
        token: Option<&str>,
        question: Question<'_>,
    ) -> Result<(StatusCode, Value), ServiceError> {
        let request = request(address, token, question).map_err(|error| NoAnswer(chain(&error)));
        let answer = match request {
            Ok(request) => self.request(request).await,
            Err(problem) => Err(problem),
        };
        let answer = answer.map_err(|error| {
            tracing::warn!(%error, "{who} does not answer");
            ServiceError::unavailable(format!("{who} does not answer"))
        })?;
        Ok((answer.status(), serde_json::from_slice(answer.body()).unwrap_or_default()))
    }

    /// Makes a request.
    ///
    /// # Errors
    /// There was no whole answer in time, or too much of it.
    pub async fn request(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, NoAnswer> {
        let exchange = async {
            let response = self.client.request(request.map(Full::from)).await.map_err(|error| NoAnswer(chain(&error)))?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| NoAnswer(chain(&*error)))?;
            Ok(Response::from_parts(parts, body.to_bytes().into()))
        };
        tokio::time::timeout(self.timeout, exchange).await.map_err(|_| NoAnswer("it took too long".to_owned()))?
    }
}

fn request(address: &str, token: Option<&str>, question: Question<'_>) -> Result<Request<Vec<u8>>, http::Error> {
    let (method, kind, body) = match question {
        Question::Nothing => (Method::GET, None, String::new()),
        Question::Json(value) => (Method::POST, Some("application/json"), value.to_string()),
        Question::Form(fields) => (Method::POST, Some("application/x-www-form-urlencoded"), form(fields)),
    };
    let mut headers = HeaderMap::new();
    if let Some(kind) = kind {
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    }
    if let Some(token) = token {
        let mut value = header::HeaderValue::try_from(format!("Bearer {token}"))?;
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
    let mut request = Request::builder().method(method).uri(Uri::try_from(address)?).body(body.into_bytes())?;
    *request.headers_mut() = headers;
    Ok(request)
}

fn form(fields: &[(&str, &str)]) -> String {
    let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    fields.join("&")
}

/// An error with its causes.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use axum::{
        Router,
        response::Redirect,
        routing::{get, post},
    };
    use banyan_core::ErrorCode;
    use serde_json::json;
    use tokio::net::TcpListener;

    use super::*;

    async fn server(router: Router) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    async fn ask(address: &str, question: Question<'_>) -> Result<(StatusCode, Value), ServiceError> {
        let outbound = Outbound::new(Duration::from_secs(5)).expect("a client");
        outbound.ask("The server", address, Some("t"), question).await
    }

    #[tokio::test]
    async fn answers_are_bounded_and_lead_nowhere_else() {
        let echo = |headers: HeaderMap, body: String| async move {
            let header = |name: &str| headers[name].to_str().expect("text").to_owned();
            json!([header("content-type"), header("authorization"), body]).to_string()
        };
        let router = Router::new()
            .route("/json", get(|| async { "{\"a\":1}" }))
            .route("/echo", post(echo))
            .route("/text", get(|| async { "hello" }))
            .route("/long", get(|| async { "x".repeat(MAX_ANSWER + 1) }))
            .route("/away", get(|| async { Redirect::temporary("/json") }));
        let base = server(router).await;
        let get = async |path: &str| ask(&format!("{base}{path}"), Question::Nothing).await;
        assert_eq!(get("/json").await, Ok((StatusCode::OK, json!({"a": 1}))));
        assert_eq!(get("/text").await, Ok((StatusCode::OK, Value::Null)));
        assert_eq!(get("/away").await.expect("an answer").0, StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(get("/long").await.expect_err("too long").code, ErrorCode::Unavailable);
        let form = ask(&format!("{base}/echo"), Question::Form(&[("a b", "1&2"), ("c", "ä")])).await;
        assert_eq!(form.expect("an answer").1, json!(["application/x-www-form-urlencoded", "Bearer t", "a%20b=1%262&c=%C3%A4"]));
        let sent = ask(&format!("{base}/echo"), Question::Json(&json!({"a": 1}))).await;
        assert_eq!(sent.expect("an answer").1, json!(["application/json", "Bearer t", "{\"a\":1}"]));
        for nobody in ["http://127.0.0.1:1/", "nonsense", &base.replace("http:", "https:")] {
            assert_eq!(ask(nobody, Question::Nothing).await.expect_err("nobody").code, ErrorCode::Unavailable);
        }
    }

    #[tokio::test]
    async fn who_says_nothing_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let outbound = Outbound::new(Duration::from_millis(50)).expect("a client");
        assert_eq!(outbound.ask("It", &address, None, Question::Nothing).await.expect_err("late").code, ErrorCode::Unavailable);
    }
}
