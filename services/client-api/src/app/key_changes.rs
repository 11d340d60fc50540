//! Whose devices changed between two syncs.

use banyan_core::ServiceError;

use super::{
    App, Requester,
    event_stream::{DeviceLists, NOTHING},
    sync::SyncWish,
};

impl App {
    /// What `/sync` would tell of device lists since `from`. That includes what happened after the other token of the request, which is
    /// but a hint: to look at a user's devices once more is harmless.
    ///
    /// # Errors
    /// M_INVALID_PARAM for a token that is none.
    pub(crate) async fn key_changes(&self, requester: &Requester, from: String) -> Result<DeviceLists, ServiceError> {
        let wish = SyncWish { since: Some(from), filter: Some(NOTHING.to_owned()), ..SyncWish::default() };
        Ok(self.whole_sync(requester, wish).await?.device_lists)
    }
}
