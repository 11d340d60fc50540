//! Stages that are passed in a browser, beside the request that needs them (specification: "Fallback").

use banyan_core::ServiceError;
use banyan_tenants::config::PolicyConfig;
use banyan_users::UiaSession;
use ruma::UserId;

use super::{Auth, stage};
use crate::app::{App, caller::Visitor};

/// What a page is to show.
#[derive(Debug)]
pub(crate) enum Page {
    /// The session is over or was never there, or does not have the stage.
    Unknown,
    /// Another stage comes first.
    NotYet,
    /// The stage is passed: the opener is told.
    Passed,
    /// A form of the stage.
    Form {
        /// Policies to be accepted, with [`stage::TERMS`].
        policies: Vec<PolicyConfig>,
        /// What was wrong with the last try.
        refused: Option<ServiceError>,
    },
}

/// Whether a browser can pass a stage here.
pub(crate) fn has_page(stage: &str) -> bool {
    [stage::DUMMY, stage::PASSWORD, stage::TOKEN, stage::TERMS, stage::SSO].contains(&stage)
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
    /// M_LIMIT_EXCEEDED; or the store or an owner failed.
    pub(crate) async fn uia_page(
        &self,
        visitor: &Visitor,
        stage: &str,
        session: &str,
        step: Option<Auth>,
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
        let mut refused = None;
        if let Some(step) = step {
            refused = self.take_stage(visitor, &mut session, &Auth { kind: Some(stage.to_owned()), ..step }).await?;
            if refused.is_none() {
                return Ok(Page::Passed);
            }
        }
        let terms = stage == stage::TERMS;
        let policies = if terms { visitor.tenant.config().registration.terms.clone() } else { Vec::new() };
        Ok(Page::Form { policies, refused })
    }
}
