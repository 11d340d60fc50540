//! Making accounts.

use banyan_core::{ErrorCode, RequestId, ServiceError};
use banyan_proto::userserver::{
    self, LoginResponse, RegisterRequest, UseRegistrationTokenRequest, use_registration_token_request::Step,
};
use banyan_users::{token::registration_token_name, user_id, validation::Purpose};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    App,
    auth::guest_access_forbidden,
    caller::Visitor,
    uia::{Asked, Auth, Proof, REGISTER, Uia, stage, validation_of},
};

/// What a client asks for. The body without `auth` is what user-interactive authentication is bound to.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Registration {
    #[serde(default)]
    pub(crate) auth: Option<Auth>,
    #[serde(default)]
    pub(crate) username: Option<String>,
    #[serde(default)]
    pub(crate) password: Option<String>,
    #[serde(default)]
    pub(crate) device_id: Option<String>,
    #[serde(default)]
    pub(crate) initial_device_display_name: Option<String>,
    #[serde(default)]
    pub(crate) inhibit_login: bool,
    #[serde(default)]
    pub(crate) refresh_token: bool,
}

impl App {
    /// Makes a guest account. Guests have no password and choose no device id: all that they may give is a name for the device that
    /// is made.
    ///
    /// # Errors
    /// M_GUEST_ACCESS_FORBIDDEN where the tenant has no guests.
    pub(crate) async fn register_guest(
        &self,
        visitor: &Visitor,
        initial_device_display_name: Option<String>,
    ) -> Result<LoginResponse, ServiceError> {
        if !visitor.tenant.config().registration.guests {
            return Err(guest_access_forbidden());
        }
        let user_id = generated_user_id(visitor, visitor.request_id);
        let registration = Registration { initial_device_display_name, ..Registration::default() };
        let request = RegisterRequest { guest: true, ..register_request(visitor, &user_id, visitor.request_id, registration) };
        self.register_at_owner(&user_id, request).await
    }

    /// Makes an account once the stages of one of the tenant's flows are passed. `parameters` is the whole body.
    ///
    /// # Errors
    /// M_FORBIDDEN where nobody may register, M_INVALID_USERNAME, M_USER_IN_USE, M_MISSING_PARAM without a password.
    pub(crate) async fn register(
        &self,
        visitor: &Visitor,
        registration: Registration,
        parameters: &Map<String, Value>,
    ) -> Result<Uia<LoginResponse>, ServiceError> {
        let flows = visitor.tenant.registration_flows();
        if flows.is_empty() {
            return Err(ServiceError::forbidden("Registration is disabled"));
        }
        if let Some(username) = &registration.username {
            user_id::for_registration(username, visitor.server_name())?;
            // With a session the owner judges: the account may be there because an earlier try of the same session made it.
            if registration.auth.as_ref().is_none_or(|auth| auth.session.is_none()) {
                self.check_username(visitor, username).await?;
            }
        }
        let asked = Asked { endpoint: REGISTER, user_id: None, flows, body: parameters };
        self.authenticated(visitor, asked, |proof| self.register_authorised(visitor, registration, proof)).await
    }

    /// Whether a name could be registered just now.
    ///
    /// # Errors
    /// M_INVALID_USERNAME, M_USER_IN_USE.
    pub(crate) async fn check_username(&self, visitor: &Visitor, username: &str) -> Result<String, ServiceError> {
        let user_id = user_id::for_registration(username, visitor.server_name())?;
        if self.users.account(&user_id).await?.is_some() {
            return Err(ServiceError::matrix(ErrorCode::Conflict, "M_USER_IN_USE", "This user name is taken"));
        }
        Ok(user_id)
    }

    /// Whether a registration token could be used just now.
    ///
    /// # Errors
    /// M_FORBIDDEN where nobody may register.
    pub(crate) async fn registration_token_is_valid(&self, visitor: &Visitor, token: &str) -> Result<bool, ServiceError> {
        if visitor.tenant.registration_flows().is_empty() {
            return Err(ServiceError::forbidden("Registration is disabled"));
        }
        let Some(allowed) = visitor.tenant.registration_token(token) else { return Ok(false) };
        let now = self.clock.now();
        if allowed.expires.is_some_and(|expires| expires <= now) {
            return Ok(false);
        }
        let Some(uses_allowed) = allowed.uses_allowed else { return Ok(true) };
        let used = self.users.registration_token(visitor.server_name(), token).await?.unwrap_or_default();
        let held = used.pending.values().filter(|until| **until > now.0).count() as u64;
        Ok(used.completed + held < uses_allowed)
    }

    /// Makes the account that a session allows.
    async fn register_authorised(
        &self,
        visitor: &Visitor,
        registration: Registration,
        proof: Proof,
    ) -> Result<LoginResponse, ServiceError> {
        if registration.password.is_none() {
            return Err(ServiceError::matrix(ErrorCode::InvalidArgument, "M_MISSING_PARAM", "Missing params: password"));
        }
        let user_id = match &registration.username {
            Some(username) => user_id::for_registration(username, visitor.server_name())?,
            None => generated_user_id(visitor, proof.request_id),
        };
        let mut request = register_request(visitor, &user_id, proof.request_id, registration);
        request.accepted_terms =
            proof.subject(stage::TERMS).map(|terms| terms.lines().map(str::to_owned).collect()).unwrap_or_default();
        let answer = match proof.subject(stage::EMAIL).and_then(validation_of) {
            Some(sid) => self.register_with_email(visitor, &user_id, request, sid, &proof).await?,
            None => self.register_at_owner(&user_id, request).await?,
        };
        if let Some(token) = proof.subject(stage::TOKEN)
            && let Err(error) = self.use_token(visitor, &proof.session, token, Step::Complete).await
        {
            // The hold ends by itself; the account is made and stays.
            tracing::warn!(%error, "a use of a registration token could not be counted");
        }
        Ok(answer)
    }

    /// Makes an account that has the address that was proved and that the session holds.
    async fn register_with_email(
        &self,
        visitor: &Visitor,
        user_id: &str,
        request: RegisterRequest,
        sid: &str,
        proof: &Proof,
    ) -> Result<LoginResponse, ServiceError> {
        self.with_validation(visitor, Purpose::Register, sid, &proof.session, |proved| async move {
            let answer = self.register_at_owner(user_id, request).await?;
            let claim = RequestId(proof.request_id.0 ^ 1);
            self.claim_threepid(visitor, claim, user_id, &proof.session, &proved).await?;
            Ok(answer)
        })
        .await
    }

    /// Holds or counts a use of a registration token, where its uses are counted; false if it is not valid.
    pub(super) async fn use_token(&self, visitor: &Visitor, session: &str, token: &str, step: Step) -> Result<bool, ServiceError> {
        if visitor.tenant.registration_token(token).is_none() {
            return Ok(false);
        }
        // Holding and counting are two commands.
        let caller = userserver::Caller { request_id: visitor.step(1 + step as u64), ..visitor.about_user("") };
        let request = UseRegistrationTokenRequest {
            caller: Some(caller),
            token: token.to_owned(),
            session: session.to_owned(),
            step: step.into(),
        };
        let name = registration_token_name(visitor.server_name(), token);
        let call = |mut client: crate::calls::UserClient, request| async move { client.use_registration_token(request).await };
        Ok(self.commands.user(&name, request, call).await?.valid)
    }

    /// Has the account made by its owner.
    pub(crate) async fn register_at_owner(&self, user_id: &str, request: RegisterRequest) -> Result<LoginResponse, ServiceError> {
        self.commands.user(user_id, request, |mut client, request| async move { client.register(request).await }).await
    }
}

fn register_request(visitor: &Visitor, user_id: &str, request_id: RequestId, registration: Registration) -> RegisterRequest {
    let mut caller = visitor.about_user(user_id);
    caller.request_id = request_id.to_bytes().to_vec().into();
    RegisterRequest {
        caller: Some(caller),
        password: registration.password.unwrap_or_default(),
        guest: false,
        admin: false,
        inhibit_login: registration.inhibit_login,
        device_id: registration.device_id.unwrap_or_default(),
        initial_device_display_name: registration.initial_device_display_name.unwrap_or_default(),
        remote_addr: visitor.address.to_string(),
        accepted_terms: Vec::new(),
        refreshable: registration.refresh_token,
        external_id: String::new(),
    }
}

/// The id of someone who chose no name. The same for a repetition of the same request, so that it makes no second account.
fn generated_user_id(visitor: &Visitor, request_id: RequestId) -> String {
    format!("@{}:{}", request_id.to_string().to_ascii_lowercase(), visitor.server_name())
}
