//! HTTP requests to servers that a tenant's configuration names.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

/// The longest answer, in bytes.
const MAX_BODY: usize = 1 << 20;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes requests. Follows no redirects.
#[derive(Clone)]
pub(crate) struct Outbound(Arc<Option<Client<HttpsConnector<HttpConnector>, Full<Bytes>>>>);

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct NoAnswer(String);

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoAnswer {}

impl Outbound {
    /// Trusts the certificates that the operating system trusts.
    pub(crate) fn new() -> Self {
        let provider = rustls::crypto::ring::default_provider();
        let connector = hyper_rustls::HttpsConnectorBuilder::new().with_provider_and_native_roots(provider);
        let connector = connector.map(|builder| builder.https_or_http().enable_http1().build());
        if let Err(error) = &connector {
            tracing::warn!(%error, "no certificates to trust were found: upstream providers cannot be reached");
        }
        Self(Arc::new(connector.ok().map(|connector| Client::builder(TokioExecutor::new()).build(connector))))
    }

    /// Makes a request.
    ///
    /// # Errors
    /// There was no whole answer in time.
    pub(crate) async fn request(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, NoAnswer> {
        let client = self.0.as_ref().as_ref().ok_or_else(|| NoAnswer("no certificates are trusted".to_owned()))?;
        let work = async {
            let response = client.request(request.map(|body| Full::new(body.into()))).await.map_err(|e| NoAnswer(e.to_string()))?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, MAX_BODY).collect().await.map_err(|error| NoAnswer(error.to_string()))?;
            Ok(Response::from_parts(parts, body.to_bytes().to_vec()))
        };
        tokio::time::timeout(PATIENCE, work).await.map_err(|_| NoAnswer("it took too long".to_owned()))?
    }
}
