//! The client-api role: the client-server API over HTTP. It owns nothing: it learns who asks, limits, checks, reads the tables, and gives
//! commands to the owners of rooms and users over gRPC.
//!
//! `http` mirrors the tree of URLs and only unpacks, calls and answers; `app` has the use cases, one file each; `calls` reaches the
//! owners. Which endpoints there are, who may call them and which file serves them says the table in [`banyan_http::endpoints`]; the
//! router is built from it.

mod app;
mod calls;
mod config;
mod http;

use std::{net::SocketAddr, time::Duration};

use axum::Router;
use banyan_http::{Edge, EdgeLayers as _, ListenConfig, ListenError, Listener};
use banyan_runtime::{Context, Stage, config::ClientListenerConfig};
use banyan_tenants::Tenants;

use crate::app::App;
pub use crate::config::ClientApiConfig;

/// The role cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address cannot be used.
    #[error("http.client: {0}")]
    Listen(#[from] ListenError),
    /// A tenant's mails cannot be sent.
    #[error(transparent)]
    Mail(#[from] banyan_mail::SetupError),
    /// Nothing can be asked of other servers.
    #[error("TLS for requests to other servers: {0}")]
    Tls(#[from] rustls::Error),
}

/// The role, bound to its address and not yet answering.
#[derive(Debug)]
pub struct ClientApi {
    app: App,
    context: Context,
    listener: Listener,
    config: ClientApiConfig,
}

impl ClientApi {
    /// Binds the address.
    ///
    /// # Errors
    /// The address cannot be used, or a tenant's mails cannot be sent as it is configured.
    pub async fn bind(
        context: &Context,
        tenants: Tenants,
        listen: &ClientListenerConfig,
        config: ClientApiConfig,
    ) -> Result<Self, BindError> {
        let listener = Listener::bind(&ListenConfig::plain(listen.listen)).await?;
        let app = App::new(context, tenants, config.clone())?;
        Ok(Self { app, context: context.clone(), listener, config })
    }

    /// Where it listens.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    /// Answers from now on, until [`Stage::Listeners`] ends: requests under way are then finished, long polls at once.
    pub fn start(self) {
        let Self { app, context, listener, config } = self;
        let stop = context.shutdown.stopping(Stage::Listeners);
        app.tokens.start(&context);
        app.resume_departures(&context);
        let router = router(&app, &context, &config);
        let drain = Duration::from_millis(config.drain_ms);
        context.shutdown.spawn_vital(Stage::Listeners, "client-api", async move {
            if let Err(error) = listener.serve(router, stop, drain).await {
                tracing::error!(%error, "the client-server API cannot be served");
            }
        });
    }
}

/// Every endpoint with the edge around it.
fn router(app: &App, context: &Context, config: &ClientApiConfig) -> Router {
    let edge = Edge {
        clock: context.clock.clone(),
        entropy: context.entropy.clone(),
        body_limit: config.max_body_bytes,
        trusted_proxies: config.trusted_proxies.as_slice().into(),
        cors: true,
    };
    http::routes(app).with_edge(edge)
}
