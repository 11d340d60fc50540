//! Users whom the caller ignores (client-server API, "Ignoring Users").

use std::collections::{HashMap, HashSet};

use banyan_core::ServiceError;
use serde::{Deserialize, de::IgnoredAny};

use super::{App, Requester, event_filter::EventFilter};

#[derive(Default, Deserialize)]
struct List {
    #[serde(default)]
    ignored_users: HashMap<String, IgnoredAny>,
}

impl App {
    /// The users whose events, but for state, the caller is not shown. A list that is none names nobody.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn ignored(&self, requester: &Requester) -> Result<HashSet<String>, ServiceError> {
        let data = self.users.account_data(requester.user_id.as_str(), None, "m.ignored_user_list").await?;
        let list: List = data.and_then(|data| serde_json::from_slice(&data.content).ok()).unwrap_or_default();
        Ok(list.ignored_users.into_keys().collect())
    }

    /// Whether an event is withheld from the caller, however they come by its id.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn withholds(&self, requester: &Requester, pdu: &[u8]) -> Result<bool, ServiceError> {
        let ignored = self.ignored(requester).await?;
        Ok(!ignored.is_empty() && !EventFilter::default().ignoring(ignored).wants(pdu))
    }
}
