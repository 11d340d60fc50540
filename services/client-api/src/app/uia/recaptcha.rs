//! The stage that tells people from programs (specification: "Google ReCAPTCHA").

use banyan_core::ServiceError;
use banyan_http::Question;

use super::{
    Auth,
    stage::{Tried, unauthorized},
};
use crate::app::{App, caller::Visitor};

/// Bytes of a response.
const MAX_RESPONSE: usize = 16 * 1024;

impl App {
    pub(super) async fn try_recaptcha(&self, visitor: &Visitor, auth: &Auth) -> Tried {
        let Some(response) = auth.response.as_deref().filter(|response| response.len() <= MAX_RESPONSE) else {
            return Ok(Err(ServiceError::bad_json("auth.response is missing")));
        };
        let config = visitor.tenant.config().registration.recaptcha.as_ref();
        let (Some(config), Some(secret)) = (config, visitor.tenant.recaptcha_secret()) else {
            return Ok(Err(unauthorized("There is no captcha here")));
        };
        let url = format!("{}/api/siteverify", config.service_url.trim_end_matches('/'));
        let address = visitor.address.to_string();
        let form = [("secret", secret), ("response", response), ("remoteip", &address)];
        let (_, answer) = self.outbound.ask("The captcha service", &url, None, Question::Form(&form)).await?;
        Ok(if answer["success"] == true { Ok(String::new()) } else { Err(unauthorized("The captcha was not solved")) })
    }
}
