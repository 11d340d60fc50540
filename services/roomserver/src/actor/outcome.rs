//! What became of a command.

use std::sync::Arc;

use banyan_core::{RequestId, ServiceError};
use futures::future::{BoxFuture, Shared};

/// The answer to a command, once its entries are committed: an event id, or a room id. Every retry that comes meanwhile waits for the
/// same one.
pub(crate) type Outcome = Shared<BoxFuture<'static, Result<Arc<str>, ServiceError>>>;

/// What retries of a command have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CommandKey {
    /// The request id.
    Request(RequestId),
    /// A client's transaction.
    Transaction { user_id: String, device_id: String, scope: String, txn_id: String },
}

impl From<&banyan_proto::rooms::Transaction> for CommandKey {
    fn from(transaction: &banyan_proto::rooms::Transaction) -> Self {
        Self::Transaction {
            user_id: transaction.user_id.clone(),
            device_id: transaction.device_id.clone(),
            scope: transaction.scope.clone(),
            txn_id: transaction.txn_id.clone(),
        }
    }
}
