//! The HTTP edge that the client-server and the server-server API share: what happens to a request before a handler sees it and to
//! its answer afterwards. It knows no rooms and no users, and never looks anything up.
//!
//! - [`endpoints`]: the one table of every endpoint of the specification, and who serves it
//! - [`error`]: the Matrix error object
//! - [`body`], [`params`]: bodies, paths and query strings, with the specification's errors
//! - [`credentials`], [`host`], [`client_addr`]: who asks, which tenant, from where
//! - [`edge`]: request ids, spans, metrics, CORS, panics, unknown paths; [`timeout`]
//! - `M_LIMIT_EXCEEDED`: [`rate_limit`]
//! - [`listener`], [`tls`]: sockets, HTTP/1.1 and HTTP/2, draining, certificates

pub mod body;
pub mod client_addr;
pub mod cors;
pub mod credentials;
pub mod edge;
pub mod endpoints;
pub mod error;
pub mod host;
pub mod listener;
pub mod outbound;
pub mod params;
pub mod rate_limit;
pub mod request;
pub mod timeout;
pub mod tls;

pub use body::{BodyLimit, Json, OptionalJson, RawObject};
pub use client_addr::{ClientAddr, Network, PeerAddr};
pub use edge::{Edge, EdgeLayers};
pub use endpoints::{Access, Api, ENDPOINTS, Endpoint};
pub use error::MatrixError;
pub use listener::{ListenConfig, ListenError, Listener};
pub use outbound::{NoAnswer, Outbound, Question};
pub use params::{Path, Query};
pub use rate_limit::{Rate, RateLimiter};
pub use tls::{CertificateConfig, TlsError};
