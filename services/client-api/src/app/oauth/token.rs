//! Tokens for what somebody allowed, and for older tokens (specification: "Grant types"; RFC 6749, sections 4.1.3, 5 and 6).

use banyan_core::{ErrorCode, RequestId, ServiceError};
use banyan_proto::{
    users::{OauthClientRow, OauthGrant},
    userserver::{LoginRequest, LoginResponse, LogoutRequest},
};
use banyan_users::{TokenHash, oauth::Code};
use serde::Deserialize;

use super::{AUTHORIZATION_CODE, DEVICE_CODE, OauthError, REFRESH_TOKEN, base, client::shown_name, pkce};
use crate::{
    app::{App, caller::Visitor},
    calls::UserClient,
};

/// The form of the request.
#[derive(Default, Deserialize)]
pub(crate) struct TokenRequest {
    grant_type: Option<String>,
    client_id: Option<String>,
    code: Option<String>,
    redirect_uri: Option<String>,
    code_verifier: Option<String>,
    refresh_token: Option<String>,
    device_code: Option<String>,
}

/// A session of an app.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) session: LoginResponse,
    /// Where it is not what the app knows already.
    pub(crate) scope: Option<String>,
}

impl App {
    /// Answers the token endpoint.
    ///
    /// # Errors
    /// `invalid_request`, `invalid_client`, `unauthorized_client`, `unsupported_grant_type`, `invalid_grant`; of devices,
    /// `authorization_pending`, `slow_down`, `access_denied`, `expired_token`.
    pub(crate) async fn grant_tokens(&self, visitor: &Visitor, request: TokenRequest) -> Result<Granted, OauthError> {
        base(visitor)?;
        let grant_type = required(request.grant_type.clone(), "grant_type is missing")?;
        let client_id = required(request.client_id.clone(), "client_id is missing")?;
        let client = self.oauth_clients.find(visitor.server_name(), &client_id).await?;
        let client = client.ok_or_else(|| OauthError::refused("invalid_client", "The app is not known"))?;
        if ![AUTHORIZATION_CODE, REFRESH_TOKEN, DEVICE_CODE].contains(&grant_type.as_str()) {
            return Err(OauthError::refused("unsupported_grant_type", "There is no such grant here"));
        }
        if !client.grant_types.contains(&grant_type) {
            return Err(OauthError::refused("unauthorized_client", "The app did not register for this grant"));
        }
        match grant_type.as_str() {
            AUTHORIZATION_CODE => self.exchange_code(visitor, &client_id, &client, request).await,
            DEVICE_CODE => self.device_grant(visitor, &client_id, &client, request.device_code).await,
            _ => self.refresh_grant(visitor, &client_id, request).await,
        }
    }

    async fn exchange_code(
        &self,
        visitor: &Visitor,
        client_id: &str,
        client: &OauthClientRow,
        request: TokenRequest,
    ) -> Result<Granted, OauthError> {
        let shown = required(request.code, "code is missing")?;
        let verifier = required(request.code_verifier, "code_verifier is missing")?;
        let redirect_uri = required(request.redirect_uri, "redirect_uri is missing")?;
        let invalid = || invalid_grant("The code is unknown, over, used, or of another request");
        let mut code = self.oauth_codes.find(visitor.server_name(), &shown).await?.ok_or_else(invalid)?;
        let theirs = code.grant.client_id == client_id && code.redirect_uri == redirect_uri;
        if !theirs || !pkce::proves(&verifier, &code.code_challenge) {
            return Err(invalid());
        }
        let Some(request_id) = self.oauth_codes.use_up(&mut code).await? else {
            self.end_session_of(visitor, &code).await?;
            return Err(invalid());
        };
        match self.let_in(visitor, &code.grant, request_id, client).await {
            Ok(session) => {
                if let Err(error) = self.oauth_codes.exchanged(&mut code, &TokenHash::of(&session.access_token)).await {
                    tracing::warn!(%error, "if a code is shown again, its session will not end");
                }
                Ok(Granted { session, scope: Some(code.grant.scope) })
            }
            Err(error) => {
                self.oauth_codes.restore(&mut code).await?;
                Err(not_let_in(error))
            }
        }
    }

    /// A code that was exchanged is shown again: somebody else has it too, so the session that came of it ends (RFC 6749, section 4.1.2).
    async fn end_session_of(&self, visitor: &Visitor, code: &Code) -> Result<(), ServiceError> {
        let Some(hash) = TokenHash::from_slice(&code.token_hash) else { return Ok(()) };
        tracing::warn!(user_id = code.grant.user_id, "an authorisation code was shown twice: its session ends");
        let (caller, token_hash) = (Some(visitor.about_user(&code.grant.user_id)), code.token_hash.clone());
        let request = LogoutRequest { caller, token_hash, ..LogoutRequest::default() };
        let call = |mut client: UserClient, request| async move { client.logout(request).await };
        self.commands.user(&code.grant.user_id, request, call).await?;
        self.tokens.revoke(&hash);
        Ok(())
    }

    /// Makes the session of a grant, on the device that it names.
    pub(super) async fn let_in(
        &self,
        visitor: &Visitor,
        grant: &OauthGrant,
        request_id: RequestId,
        client: &OauthClientRow,
    ) -> Result<LoginResponse, ServiceError> {
        let mut caller = visitor.about_user(&grant.user_id);
        caller.request_id = request_id.to_bytes().to_vec().into();
        let request = LoginRequest {
            caller: Some(caller),
            device_id: grant.device_id.clone(),
            initial_device_display_name: shown_name(client),
            remote_addr: visitor.address.to_string(),
            refreshable: true,
            proved: true,
            oauth_client: grant.client_id.clone(),
            ..LoginRequest::default()
        };
        self.log_in_at_owner(&grant.user_id, request).await
    }

    async fn refresh_grant(&self, visitor: &Visitor, client_id: &str, request: TokenRequest) -> Result<Granted, OauthError> {
        let token = required(request.refresh_token, "refresh_token is missing")?;
        match self.refresh(visitor, &token, client_id).await {
            Ok(session) => Ok(Granted { session, scope: None }),
            // A locked account may be unlocked: an app that is refused here for good would forget its keys.
            Err(error) if error.errcode.as_deref() == Some("M_USER_LOCKED") => {
                Err(ServiceError::unavailable("The account is locked").into())
            }
            Err(error) => Err(not_let_in(error)),
        }
    }
}

pub(super) fn required(parameter: Option<String>, missing: &'static str) -> Result<String, OauthError> {
    parameter.filter(|text| !text.is_empty()).ok_or_else(|| OauthError::refused("invalid_request", missing))
}

pub(super) fn invalid_grant(description: &'static str) -> OauthError {
    OauthError::refused("invalid_grant", description)
}

/// What the owner of a user refused for good is the fault of the grant.
pub(super) fn not_let_in(error: ServiceError) -> OauthError {
    match error.code {
        ErrorCode::Unauthenticated | ErrorCode::Forbidden | ErrorCode::NotFound | ErrorCode::InvalidArgument => {
            OauthError::refused("invalid_grant", error.message)
        }
        _ => error.into(),
    }
}
