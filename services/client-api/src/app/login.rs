//! Logging in with a password.

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::userserver::{LoginRequest, LoginResponse};
use serde::Deserialize;

use super::{App, caller::Visitor, threepids::Threepid};

/// What a client gives beside its proof.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct LoginWish {
    #[serde(default)]
    device_id: Option<String>,
    #[serde(default)]
    initial_device_display_name: Option<String>,
    #[serde(default)]
    refresh_token: bool,
}

impl LoginWish {
    /// The command to log in as `user_id`, without a proof.
    pub(super) fn request(self, visitor: &Visitor, user_id: &str) -> LoginRequest {
        LoginRequest {
            caller: Some(visitor.about_user(user_id)),
            device_id: self.device_id.unwrap_or_default(),
            initial_device_display_name: self.initial_device_display_name.unwrap_or_default(),
            remote_addr: visitor.address.to_string(),
            refreshable: self.refresh_token,
            ..LoginRequest::default()
        }
    }
}

/// Whom a client means (specification: "Identifier types").
#[derive(Deserialize)]
#[serde(tag = "type")]
pub(crate) enum Identifier {
    /// A user id or a localpart, as typed.
    #[serde(rename = "m.id.user")]
    User {
        #[serde(default)]
        user: Option<String>,
    },
    /// An identifier that may be a part of an account.
    #[serde(rename = "m.id.thirdparty")]
    ThirdParty(Threepid),
    /// No account has a phone number.
    #[serde(rename = "m.id.phone")]
    Phone,
    #[serde(other)]
    Unknown,
}

impl Identifier {
    /// As clients named people before there were identifiers.
    pub(crate) fn from_before(user: Option<String>, medium: Option<String>, address: Option<String>) -> Option<Self> {
        match (user, medium, address) {
            (Some(user), ..) => Some(Self::User { user: Some(user) }),
            (None, Some(medium), Some(address)) => Some(Self::ThirdParty(Threepid { medium, address })),
            _ => None,
        }
    }
}

impl App {
    /// The user id or localpart, as typed, of whom a client means.
    ///
    /// # Errors
    /// M_BAD_JSON where it is missing, M_FORBIDDEN for a phone number, M_UNKNOWN for a type that is none. An address that nobody has is no
    /// error here: it is a name that nobody has.
    pub(crate) async fn user_name(&self, visitor: &Visitor, identifier: Identifier) -> Result<String, ServiceError> {
        match identifier {
            Identifier::User { user } => user.ok_or_else(|| ServiceError::bad_json("identifier.user is missing")),
            Identifier::ThirdParty(threepid) => self.user_of_threepid(visitor, &threepid).await,
            Identifier::Phone => Err(ServiceError::forbidden("Invalid username or password")),
            Identifier::Unknown => Err(unknown_type()),
        }
    }

    /// Checks a password and issues a token. `user` is a user id or a localpart, as typed.
    ///
    /// # Errors
    /// M_FORBIDDEN for a wrong password and for a user that does not exist, M_USER_DEACTIVATED, M_USER_LOCKED, M_LIMIT_EXCEEDED.
    pub(crate) async fn log_in(
        &self,
        visitor: &Visitor,
        user: &str,
        password: String,
        wish: LoginWish,
    ) -> Result<LoginResponse, ServiceError> {
        if !visitor.tenant.config().login.password {
            return Err(unknown_type());
        }
        let user_id = self.users.resolve_login(user, visitor.server_name()).await?;
        let user_id = user_id.ok_or_else(|| ServiceError::forbidden("Invalid username or password"))?;
        self.log_in_at_owner(&user_id, LoginRequest { password, ..wish.request(visitor, &user_id) }).await
    }

    pub(super) async fn log_in_at_owner(&self, user_id: &str, request: LoginRequest) -> Result<LoginResponse, ServiceError> {
        self.commands.user(user_id, request, |mut client, request| async move { client.login(request).await }).await
    }
}

/// 400 M_UNKNOWN: a login type that this server does not have.
pub(crate) fn unknown_type() -> ServiceError {
    ServiceError::matrix(ErrorCode::InvalidArgument, "M_UNKNOWN", "This way of logging in is not supported")
}
