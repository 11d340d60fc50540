//! A session in memory.

use banyan_core::{RequestId, ServiceError};
use banyan_proto::users::UiaSessionRow;
use bytes::Bytes;
use serde_json::{Map, Value, json};

/// One exchange of user-interactive authentication, as one request sees it.
pub struct UiaSession {
    pub(super) id: String,
    pub(super) row: UiaSessionRow,
    /// The row as stored; `None`: not stored yet.
    pub(super) stored: Option<Bytes>,
    /// Hash of this request's parameters.
    pub(super) parameters: Bytes,
}

impl std::fmt::Debug for UiaSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UiaSession").field("completed", &self.row.completed).finish_non_exhaustive()
    }
}

impl UiaSession {
    pub(super) fn new(id: &str, row: UiaSessionRow, stored: Option<Bytes>, parameters: Bytes) -> Self {
        Self { id: id.to_owned(), row, stored, parameters }
    }

    /// Its id, a secret of the client's.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whose request is being authenticated; `None` where the endpoint has no caller.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        Some(self.row.user_id.as_str()).filter(|user_id| !user_id.is_empty())
    }

    /// Method and path template of the endpoint that is asked.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.row.endpoint
    }

    /// Whether a flow has the stage.
    #[must_use]
    pub fn offers(&self, stage: &str) -> bool {
        self.row.flows.iter().any(|flow| flow.stages.iter().any(|offered| offered == stage))
    }

    /// Names the operation, whatever request does it in the end.
    ///
    /// # Errors
    /// `Internal` if the stored row is corrupt.
    pub fn request_id(&self) -> Result<RequestId, ServiceError> {
        RequestId::from_slice(&self.row.request_id).ok_or_else(|| ServiceError::internal("a session without a request id"))
    }

    /// What a stage proved; `None` if it was not passed.
    #[must_use]
    pub fn subject(&self, stage: &str) -> Option<&str> {
        self.row.completed.iter().find(|passed| passed.r#type == stage).map(|passed| passed.subject.as_str())
    }

    /// Whether a stage was passed.
    #[must_use]
    pub fn has_passed(&self, stage: &str) -> bool {
        self.subject(stage).is_some()
    }

    /// Whether a stage is the next one of a flow whose earlier stages were passed in order.
    #[must_use]
    pub fn is_next(&self, stage: &str) -> bool {
        open_flows(&self.row).any(|rest| rest.first().is_some_and(|next| next == stage))
    }

    /// Whether a flow was passed to its end.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        is_complete(&self.row)
    }

    /// Whether this request may go on with what is stored.
    pub(super) fn fits_parameters(&self) -> bool {
        self.row.parameters.is_empty() || self.row.parameters == self.parameters
    }

    /// The row is this now; true.
    pub(super) fn saw(&mut self, row: UiaSessionRow, stored: Bytes) -> bool {
        self.row = row;
        self.stored = Some(stored);
        true
    }

    /// The body of the 401 answer.
    pub(super) fn body(&self, error: Option<&ServiceError>) -> Value {
        let flows: Vec<Value> = self.row.flows.iter().map(|flow| json!({ "stages": flow.stages })).collect();
        let mut body = Map::new();
        if let Some(error) = error {
            body.insert("errcode".to_owned(), json!(error.errcode.as_deref().unwrap_or("M_UNKNOWN")));
            body.insert("error".to_owned(), json!(error.message));
        }
        if !self.row.completed.is_empty() {
            let completed: Vec<&str> = self.row.completed.iter().map(|stage| stage.r#type.as_str()).collect();
            body.insert("completed".to_owned(), json!(completed));
        }
        body.insert("flows".to_owned(), json!(flows));
        body.insert("params".to_owned(), json!({}));
        body.insert("session".to_owned(), json!(self.id));
        Value::Object(body)
    }
}

/// Whether a flow was passed to its end.
pub(super) fn is_complete(row: &UiaSessionRow) -> bool {
    open_flows(row).any(<[String]>::is_empty)
}

/// What is left of every flow that the passed stages begin.
fn open_flows(row: &UiaSessionRow) -> impl Iterator<Item = &[String]> {
    let passed = row.completed.len();
    row.flows.iter().filter_map(move |flow| {
        let begins = flow.stages.len() >= passed && row.completed.iter().zip(&flow.stages).all(|(a, b)| a.r#type == *b);
        begins.then(|| &flow.stages[passed..])
    })
}
