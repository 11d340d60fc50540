//! User-interactive authentication, for every endpoint that wants its caller to prove something first (specification: Client-Server API,
//! "User-Interactive Authentication API"). An endpoint names its flows and what is to be done; this takes the stages, one request at a
//! time, and does it once.

mod email;
pub(crate) mod fallback;
mod recaptcha;
pub(crate) mod stage;

use std::future::Future;

use banyan_core::{RequestId, ServiceError};
use banyan_users::{Operation, UiaSession};
use ruma::UserId;
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub(crate) use self::email::{address_of, validation_of};
use super::{App, Requester, caller::Visitor, oauth, oauth::account, threepids::Credentials};

/// The endpoint that makes accounts.
pub(crate) const REGISTER: &str = "POST /_matrix/client/v3/register";
/// The endpoint that sets passwords.
pub(crate) const PASSWORD: &str = "POST /_matrix/client/v3/account/password";

/// What an endpoint asks to be authenticated.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    /// Method and path template.
    pub(crate) endpoint: &'static str,
    /// Who asks, where the endpoint has a caller: a password must be theirs.
    pub(crate) user_id: Option<&'a UserId>,
    /// The flows on offer, each a list of stages in order.
    pub(crate) flows: Vec<Vec<&'static str>>,
    /// The whole body. What it says beside `auth` cannot change once a stage is passed.
    pub(crate) body: &'a Map<String, Value>,
}

/// How far a request got.
#[derive(Debug)]
pub(crate) enum Uia<T> {
    /// It was done.
    Done(T),
    /// 401 with this body: stages are missing.
    Challenge(Value),
}

impl<T> Uia<T> {
    /// The same, of something else.
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Uia<U> {
        match self {
            Self::Done(done) => Uia::Done(change(done)),
            Self::Challenge(body) => Uia::Challenge(body),
        }
    }
}

/// That a flow was passed, and what was proved.
#[derive(Debug)]
pub(crate) struct Proof {
    /// For the command that is allowed: the same for every try.
    pub(crate) request_id: RequestId,
    /// The session's id.
    pub(crate) session: String,
    passed: Vec<(String, String)>,
}

impl Proof {
    /// What a stage proved (see [`stage`]); `None` if it was not passed.
    pub(crate) fn subject(&self, stage: &str) -> Option<&str> {
        self.passed.iter().find(|(passed, _)| passed == stage).map(|(_, subject)| subject.as_str())
    }
}

/// The `auth` of a request: a step. Members that a stage does not use are not looked at.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct Auth {
    #[serde(default, rename = "type")]
    pub(crate) kind: Option<String>,
    #[serde(default)]
    pub(crate) session: Option<String>,
    #[serde(default)]
    pub(crate) token: Option<String>,
    #[serde(default)]
    pub(crate) identifier: Option<Value>,
    /// From before identifiers.
    #[serde(default)]
    pub(crate) user: Option<String>,
    #[serde(default)]
    pub(crate) password: Option<String>,
    #[serde(default)]
    pub(crate) response: Option<String>,
    #[serde(default)]
    pub(crate) threepid_creds: Option<Credentials>,
    /// As some clients call it, some of them beside the other.
    #[serde(default, rename = "threepidCreds")]
    pub(crate) old_threepid_creds: Option<Credentials>,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl App {
    /// Does `work` once a flow is passed, or says what is missing. If `work` fails, or its outcome is not known, the client may repeat its
    /// request with the same session: `work` then runs again under the same request id.
    ///
    /// # Errors
    /// M_BAD_JSON for an `auth` that is none, M_FORBIDDEN if the request changed meanwhile or names another user, M_LIMIT_EXCEEDED; or what `work` answers.
    pub(crate) async fn authenticated<T, F, Fut>(
        &self,
        visitor: &Visitor,
        asked: Asked<'_>,
        work: F,
    ) -> Result<Uia<T>, ServiceError>
    where
        F: FnOnce(Proof) -> Fut,
        Fut: Future<Output = Result<T, ServiceError>>,
    {
        let auth = auth_of(asked.body)?;
        let operation = Operation {
            tenant: visitor.server_name(),
            endpoint: asked.endpoint,
            user_id: asked.user_id.map(UserId::as_str),
            parameters: asked.body,
            flows: &asked.flows,
        };
        let mut session = self.uia.open(&operation, auth.session.as_deref()).await?;
        if self.names_another(visitor, &session, &auth).await? {
            return Err(ServiceError::forbidden("Only the user who asks may confirm this"));
        }
        let refused = self.take_stage(visitor, &mut session, &auth).await?;
        if refused.is_some() || !session.is_complete() {
            return Ok(Uia::Challenge(self.challenge(visitor, &mut session, refused.as_ref()).await?));
        }
        let request_id = self.uia.authorise(&mut session).await?;
        match work(proof(&session, request_id, &asked.flows)).await {
            Ok(answer) => Ok(Uia::Done(answer)),
            Err(error) => {
                self.uia.restore(&mut session).await?;
                Err(error)
            }
        }
    }

    /// How somebody who is logged in to the legacy API confirms a request: by password; whoever came from an upstream provider and
    /// has none, in a browser.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn confirming_flows(&self, requester: &Requester) -> Result<Vec<Vec<&'static str>>, ServiceError> {
        let tenant = &requester.visitor.tenant;
        if tenant.config().sso.is_empty() || tenant.oauth_base().is_none() {
            return Ok(vec![vec![stage::PASSWORD]]);
        }
        let account = self.users.account(requester.user_id.as_str()).await?;
        let has_password = account.is_none_or(|account| !account.password_hash.is_empty());
        Ok(vec![vec![if has_password { stage::PASSWORD } else { stage::SSO }]])
    }

    /// [`App::authenticated`] for someone who is logged in and confirms it as [`App::confirming_flows`] says.
    ///
    /// # Errors
    /// As there; M_FORBIDDEN for a token of the OAuth 2.0 API.
    pub(crate) async fn confirmed<T, F, Fut>(
        &self,
        requester: &Requester,
        endpoint: &'static str,
        body: &Map<String, Value>,
        work: F,
    ) -> Result<Uia<T>, ServiceError>
    where
        F: FnOnce(Proof) -> Fut,
        Fut: Future<Output = Result<T, ServiceError>>,
    {
        oauth::refuse(requester)?;
        let flows = self.confirming_flows(requester).await?;
        let asked = Asked { endpoint, user_id: Some(&requester.user_id), flows, body };
        self.authenticated(&requester.visitor, asked, work).await
    }

    /// The body of the 401 answer, with what clients need to know about the stages.
    async fn challenge(
        &self,
        visitor: &Visitor,
        session: &mut UiaSession,
        refused: Option<&ServiceError>,
    ) -> Result<Value, ServiceError> {
        let mut body = self.uia.challenge(session, refused).await?;
        if session.offers(stage::TERMS) {
            body["params"][stage::TERMS] = json!({ "policies": stage::policies(&visitor.tenant) });
        }
        if let Some(recaptcha) =
            visitor.tenant.config().registration.recaptcha.as_ref().filter(|_| session.offers(stage::RECAPTCHA))
        {
            body["params"][stage::RECAPTCHA] = json!({ "public_key": recaptcha.public_key });
        }
        if session.offers(stage::OAUTH) {
            let url = account::reset_address(oauth::base(visitor)?, session.id());
            for stage in [stage::OAUTH, stage::OAUTH_UNSTABLE] {
                body["params"][stage] = json!({ "url": url });
            }
        }
        Ok(body)
    }
}

fn auth_of(body: &Map<String, Value>) -> Result<Auth, ServiceError> {
    let Some(auth) = body.get("auth").filter(|auth| !auth.is_null()) else { return Ok(Auth::default()) };
    Auth::deserialize(auth).map_err(|error| ServiceError::bad_json(format!("auth is not what it should be: {error}")))
}

fn proof(session: &UiaSession, request_id: RequestId, flows: &[Vec<&str>]) -> Proof {
    let stages = flows.iter().flatten();
    let passed = stages.filter_map(|stage| Some(((*stage).to_owned(), session.subject(stage)?.to_owned())));
    Proof { request_id, session: session.id().to_owned(), passed: passed.collect() }
}
