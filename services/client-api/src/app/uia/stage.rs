//! The stages, and how each is passed.

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::userserver::use_registration_token_request::Step;
use banyan_tenants::Tenant;
use banyan_users::UiaSession;
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use super::Auth;
use crate::app::{App, caller::Visitor, login::Identifier};

/// Passed by asking. Proves nothing.
pub(crate) const DUMMY: &str = "m.login.dummy";
/// The password of whoever asks. Proves the user id.
pub(crate) const PASSWORD: &str = "m.login.password";
/// A token that allows a registration. Proves the token.
pub(crate) const TOKEN: &str = "m.login.registration_token";
/// An address that was proved by a mail. Proves the validation and the address (see [`super::email`]).
pub(crate) const EMAIL: &str = "m.login.email.identity";
/// A captcha. Proves nothing more.
pub(crate) const RECAPTCHA: &str = "m.login.recaptcha";
/// Accepting the tenant's policies. Proves which, as lines of `id/version`.
pub(crate) const TERMS: &str = "m.login.terms";

/// Confirming it on the account pages, for whoever has no password. Proves nothing more.
pub(crate) const SSO: &str = "m.login.sso";

/// Approving it on the account pages. Proves nothing more.
pub(crate) const OAUTH: &str = "m.oauth";
/// As that was called before it was specified.
pub(crate) const OAUTH_UNSTABLE: &str = "org.matrix.cross_signing_reset";

/// What comes of a try: what it proves, or why it does not.
pub(super) type Tried = Result<Result<String, ServiceError>, ServiceError>;

impl App {
    /// Passes the stage that a request brings. `Some`: it failed, and the challenge says why.
    pub(super) async fn take_stage(
        &self,
        visitor: &Visitor,
        session: &mut UiaSession,
        auth: &Auth,
    ) -> Result<Option<ServiceError>, ServiceError> {
        let Some(stage) = auth.kind.as_deref() else {
            // Clients name no stage here: they come back once it was passed elsewhere.
            self.take_approval(session).await?;
            return Ok(None);
        };
        if session.has_passed(stage) {
            return Ok(None);
        }
        if !session.is_next(stage) {
            return Ok(Some(unauthorized("This is not one of the stages that are asked for")));
        }
        let tried = match stage {
            DUMMY => Ok(String::new()),
            TERMS => Ok(accepted(&visitor.tenant)),
            TOKEN => self.try_token(visitor, session, auth).await?,
            PASSWORD => self.try_password(visitor, session, auth).await?,
            OAUTH if self.take_approval(session).await? => return Ok(None),
            OAUTH | OAUTH_UNSTABLE => Err(unauthorized("This has to be approved on the account pages first")),
            EMAIL => self.try_email(visitor, session, auth).await?,
            SSO => Err(unauthorized("This has to be confirmed in a browser first")),
            RECAPTCHA => self.try_recaptcha(visitor, auth).await?,
            _ => Err(ServiceError::matrix(ErrorCode::Unauthenticated, "M_UNRECOGNIZED", "Unknown stage")),
        };
        match tried {
            Ok(subject) => self.uia.pass(session, stage, &subject).await.map(|()| None),
            Err(error) => Ok(Some(error)),
        }
    }

    /// Passes [`OAUTH`] if the user approved it.
    async fn take_approval(&self, session: &mut UiaSession) -> Result<bool, ServiceError> {
        let Some(user_id) = session.user_id().filter(|_| session.is_next(OAUTH)).map(str::to_owned) else { return Ok(false) };
        let approved = self.oauth_approvals.take(&user_id, session.id()).await?;
        if approved {
            self.uia.pass(session, OAUTH, "").await?;
        }
        Ok(approved)
    }

    async fn try_token(&self, visitor: &Visitor, session: &UiaSession, auth: &Auth) -> Tried {
        let Some(token) = auth.token.as_deref() else { return Ok(Err(ServiceError::bad_json("auth.token is missing"))) };
        let valid = self.use_token(visitor, session.id(), token, Step::Hold).await?;
        Ok(if valid { Ok(token.to_owned()) } else { Err(unauthorized("Invalid registration token")) })
    }

    /// Whether the step names somebody else, there or not, than who asks to confirm.
    pub(super) async fn names_another(&self, visitor: &Visitor, session: &UiaSession, auth: &Auth) -> Result<bool, ServiceError> {
        let Some(asks) = session.user_id().filter(|_| auth.kind.as_deref() == Some(PASSWORD)) else { return Ok(false) };
        let Ok(typed) = self.typed_user(visitor, auth).await? else { return Ok(false) };
        Ok(self.users.resolve_login(&typed, visitor.server_name()).await?.as_deref() != Some(asks))
    }

    /// The password must be that of the session's user.
    async fn try_password(&self, visitor: &Visitor, session: &UiaSession, auth: &Auth) -> Tried {
        let Some(password) = auth.password.clone() else { return Ok(Err(ServiceError::bad_json("auth.password is missing"))) };
        let typed = match self.typed_user(visitor, auth).await? {
            Ok(typed) => typed,
            Err(error) => return Ok(Err(error)),
        };
        let wrong = || ServiceError::forbidden("Invalid username or password");
        let user_id = self.users.resolve_login(&typed, visitor.server_name()).await?;
        let Some(user_id) = user_id.filter(|user_id| session.user_id().is_none_or(|asks| asks == user_id)) else {
            return Ok(Err(wrong()));
        };
        match self.check_password(visitor, &user_id, password).await {
            Ok(()) => Ok(Ok(user_id)),
            Err(error) if error.code == ErrorCode::Forbidden => Ok(Err(error)),
            Err(error) => Err(error),
        }
    }

    /// Whom the step names, by identifier or as clients did before there were any.
    async fn typed_user(&self, visitor: &Visitor, auth: &Auth) -> Tried {
        let identifier = auth.identifier.as_ref().map(Identifier::deserialize).transpose();
        let identifier = match identifier {
            Ok(identifier) => identifier.or_else(|| Identifier::from_before(auth.user.clone(), None, None)),
            Err(error) => return Ok(Err(ServiceError::bad_json(format!("auth.identifier: {error}")))),
        };
        let Some(identifier) = identifier else { return Ok(Err(ServiceError::bad_json("auth.identifier is missing"))) };
        match self.user_name(visitor, identifier).await {
            Ok(typed) => Ok(Ok(typed)),
            Err(error) if matches!(error.code, ErrorCode::InvalidArgument | ErrorCode::Forbidden) => Ok(Err(error)),
            Err(error) => Err(error),
        }
    }
}

/// `policies` of the parameters of [`TERMS`].
pub(super) fn policies(tenant: &Tenant) -> Value {
    let policy = |policy: &banyan_tenants::config::PolicyConfig| {
        let documents = policy.documents.iter();
        let mut member: Map<String, Value> =
            documents.map(|text| (text.language.clone(), json!({ "name": text.name, "url": text.url }))).collect();
        member.insert("version".to_owned(), policy.version.as_str().into());
        (policy.id.clone(), Value::Object(member))
    };
    Value::Object(tenant.config().registration.terms.iter().map(policy).collect())
}

fn accepted(tenant: &Tenant) -> String {
    let lines: Vec<_> =
        tenant.config().registration.terms.iter().map(|policy| format!("{}/{}", policy.id, policy.version)).collect();
    lines.join("\n")
}

pub(super) fn unauthorized(message: &'static str) -> ServiceError {
    ServiceError::matrix(ErrorCode::Unauthenticated, "M_UNAUTHORIZED", message)
}
