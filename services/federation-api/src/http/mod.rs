//! HTTP: one file for each group of endpoints.

mod key;
mod openid;
mod tenant;
mod version;
mod well_known;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Router, middleware,
    routing::{MethodRouter, get},
};
use banyan_core::Clock;
use banyan_http::{Api, Endpoint, endpoints, timeout::timeout};
use banyan_tenants::Tenants;
use banyan_users::ShortTokens;

/// What the handlers work with.
#[derive(Clone, Debug)]
pub(crate) struct Federation {
    pub(crate) tenants: Tenants,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) openid_tokens: ShortTokens,
    /// For how long keys may be relied upon.
    pub(crate) validity: Duration,
}

/// A router with every endpoint of the table that this role serves.
pub(crate) fn routes(federation: &Federation, limit: Duration) -> Router {
    let mut paths: BTreeMap<String, MethodRouter> = BTreeMap::new();
    for endpoint in endpoints::of(Api::Federation).iter().filter(|endpoint| endpoint.served_by.is_some()) {
        let Some(handler) = handler(endpoint) else { continue };
        let handler = handler.layer(middleware::from_fn_with_state(limit, timeout)).with_state(federation.clone());
        for path in endpoint.paths() {
            let methods = paths.remove(&path).unwrap_or_default();
            paths.insert(path, methods.merge(handler.clone()));
        }
    }
    paths.into_iter().fold(Router::new(), |router, (path, methods)| router.route(&path, methods))
}

/// Which function serves which row.
fn handler(endpoint: &Endpoint) -> Option<MethodRouter<Federation>> {
    Some(match endpoint.operation {
        "exchangeOpenIdToken" => get(openid::userinfo),
        "getServerKey" => get(key::server),
        "getVersion" => get(version::get),
        "getWellKnown" => get(well_known::server),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
