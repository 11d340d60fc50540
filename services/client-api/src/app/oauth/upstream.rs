//! An upstream OpenID Connect provider, by the `openidconnect` crate: discovery, the code flow with PKCE and a nonce, and the checks of
//! its signed statement.

use std::{future::Future, pin::Pin};

use banyan_core::ServiceError;
use banyan_http::{NoAnswer, Outbound};
use banyan_tenants::config::SsoProviderConfig;
use banyan_users::SsoFlow;
use openidconnect::{
    AsyncHttpClient, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse, IssuerUrl, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata, CoreUserInfoClaims},
};

/// A provider as this server's client.
pub(crate) struct Upstream<'a> {
    pub(crate) outbound: &'a Outbound,
    pub(crate) provider: &'a SsoProviderConfig,
    pub(crate) secret: Option<&'a str>,
    /// Where it sends people back to.
    pub(crate) redirect_uri: String,
}

/// Somebody whom a provider vouches for.
#[derive(Debug)]
pub(crate) struct Vouched {
    /// Who they are there.
    pub(crate) subject: String,
    /// What they are called there.
    pub(crate) username: Option<String>,
}

/// What the crate makes requests with.
struct Http<'a>(&'a Outbound);

impl<'c> AsyncHttpClient<'c> for Http<'_> {
    type Error = NoAnswer;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, NoAnswer>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.0.request(request))
    }
}

impl Upstream<'_> {
    /// Where somebody is sent to sign in.
    ///
    /// # Errors
    /// The provider does not answer, or not as it should.
    pub(crate) async fn address(&self, flow: &SsoFlow, state: String) -> Result<String, ServiceError> {
        let metadata = self.discover().await?;
        let client = CoreClient::from_provider_metadata(metadata, ClientId::new(self.provider.client_id.clone()), self.secret())
            .set_redirect_uri(self.redirect_url()?);
        let verifier = PkceCodeVerifier::new(flow.verifier.clone());
        let nonce = Nonce::new(flow.nonce.clone());
        let code_flow = CoreAuthenticationFlow::AuthorizationCode;
        let request = client.authorize_url(code_flow, move || CsrfToken::new(state), move || nonce);
        let scopes = self.provider.scopes.iter().filter(|scope| *scope != "openid").map(|scope| Scope::new(scope.clone()));
        let request = request.add_scopes(scopes).set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        let (url, ..) = request.url();
        Ok(url.into())
    }

    /// Who came back with a code.
    ///
    /// # Errors
    /// The provider does not answer, or its statement does not hold.
    pub(crate) async fn vouched(&self, flow: &SsoFlow, code: String) -> Result<Vouched, ServiceError> {
        let metadata = self.discover().await?;
        let client = CoreClient::from_provider_metadata(metadata, ClientId::new(self.provider.client_id.clone()), self.secret())
            .set_redirect_uri(self.redirect_url()?);
        let request =
            client.exchange_code(AuthorizationCode::new(code)).map_err(|error| self.failed("no token endpoint", &error))?;
        let request = request.set_pkce_verifier(PkceCodeVerifier::new(flow.verifier.clone()));
        let tokens =
            request.request_async(&Http(self.outbound)).await.map_err(|error| self.failed("the code is not taken", &error))?;
        let id_token = tokens.extra_fields().id_token().ok_or_else(|| self.failed("no ID token", &"it is missing"))?;
        let claims = id_token.claims(&client.id_token_verifier(), &Nonce::new(flow.nonce.clone()));
        let claims = claims.map_err(|error| self.failed("the ID token does not hold", &error))?;
        let subject = claims.subject().clone();
        let mut username = claims.preferred_username().map(|name| name.as_str().to_owned());
        // Many providers tell names only here.
        if username.is_none()
            && let Ok(request) = client.user_info(tokens.access_token().clone(), Some(subject.clone()))
        {
            let claims: CoreUserInfoClaims =
                request.request_async(&Http(self.outbound)).await.map_err(|error| self.failed("no user info", &error))?;
            username = claims.preferred_username().map(|name| name.as_str().to_owned());
        }
        Ok(Vouched { subject: subject.as_str().to_owned(), username })
    }

    async fn discover(&self) -> Result<CoreProviderMetadata, ServiceError> {
        let issuer = IssuerUrl::new(self.provider.issuer.clone()).map_err(|error| self.failed("the issuer is no URL", &error))?;
        let metadata = CoreProviderMetadata::discover_async(issuer, &Http(self.outbound)).await;
        metadata.map_err(|error| self.failed("no metadata", &error))
    }

    fn redirect_url(&self) -> Result<RedirectUrl, ServiceError> {
        RedirectUrl::new(self.redirect_uri.clone()).map_err(|error| self.failed("the redirect URI is no URL", &error))
    }

    fn secret(&self) -> Option<ClientSecret> {
        self.secret.map(|secret| ClientSecret::new(secret.to_owned()))
    }

    fn failed(&self, what: &str, error: &dyn std::fmt::Debug) -> ServiceError {
        tracing::warn!(provider = self.provider.id, ?error, "signing in through an upstream provider failed: {what}");
        ServiceError::unavailable(format!("{} does not answer as it should", self.provider.name))
    }
}
