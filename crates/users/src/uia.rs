//! User-interactive authentication (specification: Client-Server API, "User-Interactive Authentication API"): which stages a request
//! must pass, which it passed, and that it is then done once.
//!
//! A session belongs to one operation (tenant, endpoint, caller). From the first stage passed it belongs to the parameters of
//! that request too, so nobody authenticates one thing and does another; before that clients may probe with an empty body. Sessions are
//! conditional rows under the hash of their id: any replica goes on where another stopped, and two cannot both use one up.

mod binding;
mod session;

use std::{sync::Arc, time::Duration};

use banyan_core::{Clock, Entropy, ErrorCode, RequestId, ServiceError};
use banyan_proto::users::{UiaFlow, UiaSessionRow, UiaStage};
use banyan_store::{Cas, Store, StoreError, key};
use bytes::Bytes;
use prost::Message;
use serde_json::{Map, Value};
pub use session::UiaSession;

use crate::{error::store_error, tables::UIA_SESSION};

/// How often a write of unknown outcome is repeated.
const ATTEMPTS: usize = 4;

/// What is to be authenticated.
#[derive(Clone, Debug)]
pub struct Operation<'a> {
    /// Server name of the tenant.
    pub tenant: &'a str,
    /// Method and path template, for example `POST /_matrix/client/v3/register`.
    pub endpoint: &'a str,
    /// Who asks, where the endpoint has a caller.
    pub user_id: Option<&'a str>,
    /// The request's body. `auth` in it does not count.
    pub parameters: &'a Map<String, Value>,
    /// The flows on offer, each a list of stages in order.
    pub flows: &'a [Vec<&'a str>],
}

/// Keeps sessions.
#[derive(Clone)]
pub struct UiaSessions {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    lifetime: Duration,
}

impl std::fmt::Debug for UiaSessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UiaSessions")
    }
}

impl UiaSessions {
    /// How long a session lasts, unless said otherwise.
    pub const LIFETIME: Duration = Duration::from_secs(30 * 60);

    /// Keeps sessions in `store` for `lifetime`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>, lifetime: Duration) -> Self {
        Self { store, clock, entropy, lifetime }
    }

    /// The session `id` (from the request's `auth.session`), or a new one where it names none, an expired one or a used one. A new one
    /// has passed nothing, so what a lost session proved must be proved again.
    ///
    /// # Errors
    /// `M_FORBIDDEN` if the session is for another operation or, once a stage was passed, for other parameters; or the store failed.
    pub async fn open(&self, operation: &Operation<'_>, id: Option<&str>) -> Result<UiaSession, ServiceError> {
        let Some(id) = id else { return Ok(self.fresh(operation)) };
        let stored = self.store.get_serial(&UIA_SESSION, &key![binding::session_hash(id)], &key![]).await;
        let Some(stored) = stored.map_err(|e| store_error(&e))? else { return Ok(self.fresh(operation)) };
        let row = decode(&stored)?;
        if row.expires <= self.clock.now().0 || !row.used_by.is_empty() {
            return Ok(self.fresh(operation));
        }
        let session = UiaSession::new(id, row, Some(stored), binding::parameters(id, operation.parameters));
        if session.row.operation != binding::operation(operation) || !session.fits_parameters() {
            return Err(ServiceError::forbidden("The request changed while it was being authenticated"));
        }
        Ok(session)
    }

    /// A session that is under way, for a stage that a browser passes beside the request ("Fallback"); `None` if it is another
    /// tenant's, over, or used. What is passed this way counts for what the first request asked for, or, where that only probed for
    /// the flows, for the next one.
    ///
    /// # Errors
    /// The store failed.
    pub async fn find(&self, tenant: &str, id: &str) -> Result<Option<UiaSession>, ServiceError> {
        let stored = self.store.get_serial(&UIA_SESSION, &key![binding::session_hash(id)], &key![]).await;
        let Some(stored) = stored.map_err(|e| store_error(&e))? else { return Ok(None) };
        let row = decode(&stored)?;
        if row.tenant != tenant || row.expires <= self.clock.now().0 || !row.used_by.is_empty() {
            return Ok(None);
        }
        let bound = if row.parameters.is_empty() { row.asked.clone() } else { row.parameters.clone() };
        Ok(Some(UiaSession::new(id, row, Some(stored), bound)))
    }

    fn fresh(&self, operation: &Operation<'_>) -> UiaSession {
        let id = self.entropy.alphanumeric(24);
        let flow = |stages: &Vec<&str>| UiaFlow { stages: stages.iter().map(|stage| (*stage).to_owned()).collect() };
        let lifetime = i64::try_from(self.lifetime.as_micros()).unwrap_or(i64::MAX / 2);
        let row = UiaSessionRow {
            operation: binding::operation(operation),
            parameters: Bytes::new(),
            flows: operation.flows.iter().map(flow).collect(),
            completed: Vec::new(),
            request_id: Bytes::copy_from_slice(&RequestId::generate(&*self.clock, &*self.entropy).to_bytes()),
            expires: self.clock.now().0.saturating_add(lifetime),
            used_by: Bytes::new(),
            tenant: operation.tenant.to_owned(),
            user_id: operation.user_id.unwrap_or_default().to_owned(),
            asked: binding::asked(&id, operation.parameters),
            endpoint: operation.endpoint.to_owned(),
        };
        let parameters = binding::parameters(&id, operation.parameters);
        UiaSession::new(&id, row, None, parameters)
    }

    /// Notes that a stage was passed, after the caller checked it. `subject` is what it proved, for whoever does the operation: the user
    /// of `m.login.password`, the token of `m.login.registration_token`. Passing a stage again changes nothing.
    ///
    /// # Errors
    /// `M_FORBIDDEN` if it is not this stage's turn in any flow (ask [`UiaSession::is_next`] first and answer with a challenge), or another request went on with the session meanwhile with other
    /// parameters; or the store failed.
    pub async fn pass(&self, session: &mut UiaSession, stage: &str, subject: &str) -> Result<(), ServiceError> {
        loop {
            if session.has_passed(stage) {
                return Ok(());
            }
            if !session.is_next(stage) {
                return Err(ServiceError::forbidden("This stage is not the next one of any flow"));
            }
            let mut row = session.row.clone();
            row.parameters.clone_from(&session.parameters);
            row.completed.push(UiaStage { r#type: stage.to_owned(), subject: subject.to_owned() });
            // Who completes a flow in one request, without a session, never comes back to it: no row is needed.
            if session.stored.is_none() && session::is_complete(&row) {
                session.row = row;
                return Ok(());
            }
            if self.write(session, row).await? {
                return Ok(());
            }
        }
    }

    /// Uses the session up: exactly one caller is told to go on, and under which request id. Whoever then fails, or does not learn the
    /// outcome, calls [`UiaSessions::restore`]: doing the operation again under the same request id is no second operation.
    ///
    /// # Errors
    /// `M_FORBIDDEN` if stages are missing or another request used the session; or the store failed, then the session may be used up.
    pub async fn authorise(&self, session: &mut UiaSession) -> Result<RequestId, ServiceError> {
        let used = || ServiceError::forbidden("The session was used already");
        let mine = Bytes::from(self.entropy.alphanumeric(16));
        loop {
            if !session.is_complete() {
                return Err(ServiceError::forbidden("Authentication is not complete"));
            }
            if !session.row.used_by.is_empty() {
                return Err(used());
            }
            // What never left this request needs no row.
            let Some(_) = session.stored else {
                session.row.used_by = mine;
                return session.request_id();
            };
            let mut row = UiaSessionRow { used_by: mine.clone(), ..session.row.clone() };
            if row.parameters.is_empty() {
                row.parameters.clone_from(&session.parameters);
            }
            if self.write(session, row).await? || session.row.used_by == mine {
                return session.request_id();
            }
        }
    }

    /// Makes a session that was used up by [`UiaSessions::authorise`] usable again, because the operation failed or its outcome is not
    /// known. It keeps its request id.
    ///
    /// # Errors
    /// The store failed: the client must authenticate anew.
    pub async fn restore(&self, session: &mut UiaSession) -> Result<(), ServiceError> {
        if session.stored.is_none() {
            session.row.used_by = Bytes::new();
            return Ok(());
        }
        let row = UiaSessionRow { used_by: Bytes::new(), ..session.row.clone() };
        self.write(session, row).await.map(|_| ())
    }

    /// The body of the 401 answer that asks for the stages that are missing, and that `error` (if given) explains.
    ///
    /// # Errors
    /// The store failed: the client could not go on with the session.
    pub async fn challenge(&self, session: &mut UiaSession, error: Option<&ServiceError>) -> Result<Value, ServiceError> {
        if session.stored.is_none() {
            let row = session.row.clone();
            self.write(session, row).await?;
        }
        Ok(session.body(error))
    }

    /// Writes `row` over what the session last saw. False: somebody else wrote, and the session shows their row now.
    async fn write(&self, session: &mut UiaSession, row: UiaSessionRow) -> Result<bool, ServiceError> {
        let (partition, clustering) = (key![binding::session_hash(&session.id)], key![]);
        let value = Bytes::from(row.encode_to_vec());
        let left = u64::try_from(row.expires.saturating_sub(self.clock.now().0)).unwrap_or(0);
        let ttl = Some(Duration::from_micros(left).max(Duration::from_secs(1)));
        let mut unknown = None;
        for _ in 0..ATTEMPTS {
            let outcome = match session.stored.clone() {
                None => self.store.insert(&UIA_SESSION, &partition, &clustering, value.clone(), ttl).await,
                Some(old) => self.store.replace(&UIA_SESSION, &partition, &clustering, old, Some(value.clone()), ttl).await,
            };
            match outcome {
                Ok(Cas::Applied) => return Ok(session.saw(row, value)),
                // After an unknown outcome the same row is our own: every row that differs in effect differs in its bytes.
                Ok(Cas::Refused(Some(current))) if unknown.is_some() && current == value => return Ok(session.saw(row, value)),
                Ok(Cas::Refused(Some(current))) => {
                    session.saw(decode(&current)?, current);
                    return if session.fits_parameters() { Ok(false) } else { Err(changed()) };
                }
                Ok(Cas::Refused(None)) => return Err(changed()),
                Err(error @ StoreError::Unknown(_)) => unknown = Some(error),
                Err(error) => return Err(store_error(&error)),
            }
        }
        let error = unknown.unwrap_or_else(|| StoreError::Unavailable("a session could not be written".to_owned()));
        Err(store_error(&error))
    }
}

fn changed() -> ServiceError {
    ServiceError::forbidden("The session went on elsewhere; authenticate again")
}

fn decode(row: &Bytes) -> Result<UiaSessionRow, ServiceError> {
    UiaSessionRow::decode(row.clone())
        .map_err(|e| ServiceError::new(ErrorCode::Internal, format!("table {}: a row is corrupt: {e}", UIA_SESSION.name)))
}
