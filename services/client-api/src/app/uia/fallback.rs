//! Stages that are passed in a browser, beside the request that needs them (specification: "Fallback").

use banyan_core::{ErrorCode, ServiceError};
use banyan_tenants::config::{PolicyConfig, RecaptchaConfig};
use banyan_users::UiaSession;
use ruma::UserId;

use super::{Auth, stage};
use crate::app::{App, caller::Visitor, threepids::Credentials};

/// What came with a form.
#[derive(Default)]
pub(crate) struct Step {
    pub(crate) auth: Auth,
    /// With [`stage::EMAIL`]: the address that a mail is to prove.
    pub(crate) email: Option<String>,
}

/// What a page is to show.
pub(crate) enum Page {
    /// The session is over or was never there, or does not have the stage.
    Unknown,
    /// Another stage comes first.
    NotYet,
    /// The stage is passed: the opener is told.
    Passed,
    /// A form of the stage.
    Form(Box<Form>),
}

/// What a stage's form needs to know.
#[derive(Default)]
pub(crate) struct Form {
    /// With [`stage::TERMS`]: what is to be accepted.
    pub(crate) policies: Vec<PolicyConfig>,
    /// With [`stage::EMAIL`]: the proof that a mail was sent for, if one was.
    pub(crate) sent: Option<Credentials>,
    /// With [`stage::RECAPTCHA`].
    pub(crate) recaptcha: Option<RecaptchaConfig>,
    /// What was wrong with the last try.
    pub(crate) refused: Option<ServiceError>,
}

/// Whether a browser can pass a stage here.
pub(crate) fn has_page(stage: &str) -> bool {
    [stage::DUMMY, stage::EMAIL, stage::PASSWORD, stage::RECAPTCHA, stage::TOKEN, stage::TERMS, stage::SSO].contains(&stage)
}

impl App {
    /// The session, if it waits for `user_id` to confirm in a browser what they asked for (specification: "SSO during
    /// User-Interactive Authentication").
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn waiting_for_sso(
        &self,
        visitor: &Visitor,
        user_id: &UserId,
        session: &str,
    ) -> Result<Option<UiaSession>, ServiceError> {
        let found = self.uia.find(visitor.server_name(), session).await?;
        Ok(found.filter(|session| session.user_id() == Some(user_id.as_str()) && session.is_next(stage::SSO)))
    }

    /// Confirms it.
    ///
    /// # Errors
    /// M_NOT_FOUND if nothing waits for `user_id`; or the store failed.
    pub(crate) async fn confirm_by_sso(&self, visitor: &Visitor, user_id: &UserId, session: &str) -> Result<(), ServiceError> {
        let waits = self.waiting_for_sso(visitor, user_id, session).await?;
        let mut waits = waits.ok_or_else(|| ServiceError::not_found("Nothing waits to be confirmed by you"))?;
        self.uia.pass(&mut waits, stage::SSO, user_id.as_str()).await
    }

    /// The page of a stage; `step` is what was sent with its form.
    ///
    /// # Errors
    /// M_LIMIT_EXCEEDED; a mail cannot be sent; or the store or an owner failed.
    pub(crate) async fn uia_page(
        &self,
        visitor: &Visitor,
        stage: &str,
        session: &str,
        step: Option<Step>,
    ) -> Result<Page, ServiceError> {
        let found = self.uia.find(visitor.server_name(), session).await?;
        let Some(mut session) = found.filter(|session| has_page(stage) && session.offers(stage)) else {
            return Ok(Page::Unknown);
        };
        if session.has_passed(stage) {
            return Ok(Page::Passed);
        }
        if !session.is_next(stage) {
            return Ok(Page::NotYet);
        }
        let mut form = form(visitor, stage);
        let Some(Step { auth, email }) = step else { return Ok(Page::Form(Box::new(form))) };
        if let Some(email) = email.filter(|_| stage == stage::EMAIL) {
            match self.send_proof(visitor, &session, email).await {
                Ok(sent) => form.sent = Some(sent),
                Err(error) if matches!(error.code, ErrorCode::InvalidArgument | ErrorCode::Forbidden) => form.refused = Some(error),
                Err(error) => return Err(error),
            }
            return Ok(Page::Form(Box::new(form)));
        }
        form.sent.clone_from(&auth.threepid_creds);
        form.refused = self.take_stage(visitor, &mut session, &Auth { kind: Some(stage.to_owned()), ..auth }).await?;
        Ok(if form.refused.is_none() { Page::Passed } else { Page::Form(Box::new(form)) })
    }
}

fn form(visitor: &Visitor, stage: &str) -> Form {
    let registration = &visitor.tenant.config().registration;
    match stage {
        stage::TERMS => Form { policies: registration.terms.clone(), ..Form::default() },
        stage::RECAPTCHA => Form { recaptcha: registration.recaptcha.clone(), ..Form::default() },
        _ => Form::default(),
    }
}
