//! The federation-api role: the inbound side of the server-server API, over TLS. So far it answers for this server's keys, version and
//! name; which endpoints it serves says the table in [`banyan_http::endpoints`], from which the router is built.

mod config;
mod http;

use std::{net::SocketAddr, time::Duration};

use axum::Router;
use banyan_http::{CertificateConfig, Edge, EdgeLayers as _, ListenConfig, ListenError, Listener};
use banyan_runtime::{Context, Stage, config::FederationListenerConfig};
use banyan_tenants::Tenants;
use banyan_users::ShortTokens;

pub use crate::config::FederationApiConfig;
use crate::http::Federation;

/// The role, bound to its address and not yet answering.
#[derive(Debug)]
pub struct FederationApi {
    federation: Federation,
    context: Context,
    listener: Listener,
    config: FederationApiConfig,
}

impl FederationApi {
    /// Binds the address and reads the certificate.
    ///
    /// # Errors
    /// The address or the certificate cannot be used; the message names it.
    pub async fn bind(
        context: &Context,
        tenants: Tenants,
        listen: &FederationListenerConfig,
        config: FederationApiConfig,
    ) -> Result<Self, ListenError> {
        let listener = Listener::bind(&listen_config(listen)).await?;
        if !listener.is_tls() {
            tracing::warn!(address = %listener.local_addr(), "the server-server API speaks plain HTTP: a proxy must add TLS");
        }
        let validity = Duration::from_secs(config.key_validity_seconds);
        let Context { store, clock, entropy, .. } = context;
        let openid_tokens = ShortTokens::for_openid(store.clone(), clock.clone(), entropy.clone());
        let federation = Federation { tenants, clock: clock.clone(), openid_tokens, validity };
        Ok(Self { federation, context: context.clone(), listener, config })
    }

    /// Where it listens.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    /// Answers from now on, until [`Stage::Listeners`] ends.
    pub fn start(self) {
        let Self { federation, context, listener, config } = self;
        let stop = context.shutdown.stopping(Stage::Listeners);
        let edge = Edge {
            clock: context.clock.clone(),
            entropy: context.entropy.clone(),
            body_limit: config.max_body_bytes,
            trusted_proxies: config.trusted_proxies.as_slice().into(),
            cors: false,
        };
        let router: Router = http::routes(&federation, Duration::from_millis(config.request_timeout_ms)).with_edge(edge);
        let drain = Duration::from_millis(config.drain_ms);
        context.shutdown.spawn_vital(Stage::Listeners, "federation-api", async move {
            if let Err(error) = listener.serve(router, stop, drain).await {
                tracing::error!(%error, "the server-server API cannot be served");
            }
        });
    }
}

/// With both files TLS, else plain HTTP.
fn listen_config(config: &FederationListenerConfig) -> ListenConfig {
    let files = config.tls_certificate_file.clone().zip(config.tls_key_file.clone());
    let tls = files.map(|(certificate, key)| CertificateConfig { certificate, key, names: Vec::new() }).into_iter().collect();
    ListenConfig { tls, ..ListenConfig::plain(config.listen) }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn two_files_make_tls() {
        let plain = FederationListenerConfig::default();
        assert!(listen_config(&plain).tls.is_empty());
        let (certificate, key) = (PathBuf::from("a.crt"), PathBuf::from("a.key"));
        let secure = FederationListenerConfig { tls_certificate_file: Some(certificate.clone()), tls_key_file: Some(key), ..plain };
        assert_eq!(listen_config(&secure).tls[0].certificate, certificate);
    }

    #[tokio::test]
    async fn a_missing_certificate_is_one_clear_message() {
        let missing = FederationListenerConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls_certificate_file: Some(PathBuf::from("/nonexistent/tls.crt")),
            tls_key_file: Some(PathBuf::from("/nonexistent/tls.key")),
        };
        let message = Listener::bind(&listen_config(&missing)).await.unwrap_err().to_string();
        assert_eq!(message, "cannot read the TLS certificate /nonexistent/tls.crt: there is no such file");
    }
}
