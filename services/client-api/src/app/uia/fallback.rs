//! Stages that are passed in a browser, beside the request that needs them (specification: "Fallback").

use banyan_core::ServiceError;
use banyan_tenants::config::PolicyConfig;

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
    [stage::DUMMY, stage::PASSWORD, stage::TOKEN, stage::TERMS].contains(&stage)
}

impl App {
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
