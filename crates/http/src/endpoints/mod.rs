//! The one table of every endpoint of specification v1.19: its method and path, who may call it, and which file serves it. The API
//! roles build their routers from it, so that what it says and what is answered cannot differ; a walk through the table is part of
//! their tests.

mod client;
mod federation;
mod other;

use http::Method;

/// Whose endpoint it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Api {
    /// Client-server API: the client-api role (media: the media role).
    Client,
    /// Not in the specification: the client-api role.
    Extension,
    /// Server-server API: the federation-api role.
    Federation,
    /// Application service API: called by this server.
    ApplicationService,
    /// Identity service API: served by other programs.
    Identity,
    /// Push gateway API: called by this server.
    PushGateway,
}

/// Who may call an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Anyone.
    Public,
    /// Anyone; an access token changes the answer, and a wrong one is an error.
    Optional,
    /// Whoever has an access token, guests too (client-server API, "Guest Access").
    Guest,
    /// Whoever has an access token and is no guest.
    User,
    /// Servers, by request signature.
    Server,
    /// Judged by another program.
    Elsewhere,
}

/// The methods of the specification's endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
    /// DELETE
    Delete,
}

impl From<Verb> for Method {
    fn from(verb: Verb) -> Self {
        match verb {
            Verb::Get => Self::GET,
            Verb::Post => Self::POST,
            Verb::Put => Self::PUT,
            Verb::Delete => Self::DELETE,
        }
    }
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// Method.
    pub verb: Verb,
    /// Path as the specification writes it, parameters in braces.
    pub path: &'static str,
    /// The specification's `operationId`: unique within an API.
    pub operation: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Whether the specification calls it rate-limited, or it costs more than an answer.
    pub rate_limited: bool,
    /// Whether the specification calls it deprecated.
    pub deprecated: bool,
    /// The file that serves it, below the role's `src/http`; `None`: not served.
    pub served_by: Option<&'static str>,
}

const fn row(verb: Verb, path: &'static str, operation: &'static str) -> Endpoint {
    Endpoint { verb, path, operation, access: Access::User, rate_limited: false, deprecated: false, served_by: None }
}

const fn get(path: &'static str, operation: &'static str) -> Endpoint {
    row(Verb::Get, path, operation)
}

const fn post(path: &'static str, operation: &'static str) -> Endpoint {
    row(Verb::Post, path, operation)
}

const fn put(path: &'static str, operation: &'static str) -> Endpoint {
    row(Verb::Put, path, operation)
}

const fn delete(path: &'static str, operation: &'static str) -> Endpoint {
    row(Verb::Delete, path, operation)
}

impl Endpoint {
    const fn access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    const fn public(self) -> Self {
        self.access(Access::Public)
    }

    const fn optional(self) -> Self {
        self.access(Access::Optional)
    }

    const fn guest(self) -> Self {
        self.access(Access::Guest)
    }

    const fn signed(self) -> Self {
        self.access(Access::Server)
    }

    const fn other(self) -> Self {
        self.access(Access::Elsewhere)
    }

    const fn limited(self) -> Self {
        Self { rate_limited: true, ..self }
    }

    const fn deprecated(self) -> Self {
        Self { deprecated: true, ..self }
    }

    const fn by(self, file: &'static str) -> Self {
        Self { served_by: Some(file), ..self }
    }

    /// Every path that it is served under. Endpoints of `/v3/` answer under `/r0/` too, as clients from before v1.1 and conformance
    /// suites ask; a path that ends in a slash answers without it; a state key may be left out where it is the empty string.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        let mut paths = vec![self.path.to_owned()];
        if let Some(parent) = self.path.strip_suffix("/state/{eventType}/{stateKey}") {
            paths.push(format!("{parent}/state/{{eventType}}"));
            paths.push(format!("{parent}/state/{{eventType}}/"));
        }
        if let Some(stripped) = self.path.strip_suffix('/') {
            paths.push(stripped.to_owned());
        }
        let old = |path: &String| path.contains("/v3/").then(|| path.replacen("/v3/", "/r0/", 1));
        let old: Vec<_> = paths.iter().filter_map(old).collect();
        paths.extend(old);
        paths
    }
}

/// The table: every API's endpoints.
pub const ENDPOINTS: &[(Api, &[Endpoint])] = &[
    (Api::Client, client::ENDPOINTS),
    (Api::Extension, client::EXTENSIONS),
    (Api::Federation, federation::ENDPOINTS),
    (Api::ApplicationService, other::APPLICATION_SERVICE),
    (Api::Identity, other::IDENTITY),
    (Api::PushGateway, other::PUSH_GATEWAY),
];

/// The rows of one API.
#[must_use]
pub fn of(api: Api) -> &'static [Endpoint] {
    ENDPOINTS.iter().find(|(of, _)| *of == api).map_or(&[], |(_, endpoints)| endpoints)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_is_whole() {
        let counts: Vec<_> = ENDPOINTS.iter().map(|(api, rows)| (*api, rows.len())).collect();
        let specified: usize = counts.iter().filter(|(api, _)| *api != Api::Extension).map(|(_, count)| count).sum();
        assert_eq!(specified, 235, "endpoints of specification v1.19: {counts:?}");
    }

    #[test]
    fn operations_and_paths_are_well_formed() {
        for (api, rows) in ENDPOINTS {
            let mut operations = BTreeSet::new();
            for row in *rows {
                assert!(operations.insert(row.operation), "{api:?} {} twice", row.operation);
                assert!(row.path.starts_with('/') && !row.path.contains(' '), "{}", row.path);
            }
        }
    }

    #[test]
    fn old_prefixes_and_slashes_are_served() {
        let of = |operation| of(Api::Client).iter().find(|row| row.operation == operation).unwrap().paths();
        assert_eq!(of("getVersions"), ["/_matrix/client/versions"]);
        assert_eq!(of("login"), ["/_matrix/client/v3/login", "/_matrix/client/r0/login"]);
        assert_eq!(of("setRoomStateWithKey").len(), 6);
        assert!(of("getPushRules").contains(&"/_matrix/client/r0/pushrules".to_owned()));
    }

    #[test]
    fn guests_may_call_what_the_specification_lists() {
        let guests: BTreeSet<_> =
            of(Api::Client).iter().filter(|row| row.access == Access::Guest).map(|row| row.operation).collect();
        assert!(guests.contains("getRoomEvents") && guests.contains("sendMessage") && guests.contains("getTokenOwner"));
        assert!(!guests.contains("createRoom") && !guests.contains("logout") && !guests.contains("inviteUser"));
    }
}
