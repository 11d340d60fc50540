//! [`ServiceError`] as a gRPC status and back: the code picks the status, the details carry the rest.

use banyan_core::{ErrorCode, ServiceError};
use bytes::Bytes;
use tonic::{Code, Status};

/// The status that carries an error. Its details are the error itself as JSON.
#[must_use]
pub fn to_status(error: &ServiceError) -> Status {
    let code = match error.code {
        ErrorCode::InvalidArgument => Code::InvalidArgument,
        ErrorCode::Unauthenticated => Code::Unauthenticated,
        ErrorCode::Forbidden => Code::PermissionDenied,
        ErrorCode::NotFound => Code::NotFound,
        ErrorCode::Conflict => Code::AlreadyExists,
        ErrorCode::TooLarge => Code::OutOfRange,
        ErrorCode::Overloaded => Code::ResourceExhausted,
        ErrorCode::NotOwner => Code::FailedPrecondition,
        ErrorCode::Unknown => Code::Unknown,
        ErrorCode::Unavailable => Code::Unavailable,
        ErrorCode::Internal => Code::Internal,
    };
    let details = serde_json::to_vec(error).unwrap_or_default();
    Status::with_details(code, error.message.to_string(), Bytes::from(details))
}

/// The error that a status carries. A status that no service of ours made (a lost connection, a timeout) becomes `Unavailable`
/// where the call cannot have happened, else `Unknown`.
#[must_use]
pub fn from_status(status: &Status) -> ServiceError {
    if let Ok(error) = serde_json::from_slice::<ServiceError>(status.details()) {
        return error;
    }
    let code = match status.code() {
        Code::Unavailable => ErrorCode::Unavailable,
        Code::Cancelled | Code::DeadlineExceeded | Code::Unknown | Code::Aborted => ErrorCode::Unknown,
        Code::ResourceExhausted => ErrorCode::Overloaded,
        Code::OutOfRange => ErrorCode::TooLarge,
        _ => ErrorCode::Internal,
    };
    ServiceError::new(code, status.message().to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_error_survives_the_wire() {
        let error = ServiceError::limit_exceeded("slow down", Duration::from_millis(1500)).with_extra("{}".to_owned());
        assert_eq!(from_status(&to_status(&error)), error);
        let error = ServiceError::not_owner(Some("10.0.0.1:7000".to_owned()));
        assert_eq!(from_status(&to_status(&error)), error);
    }

    #[test]
    fn a_foreign_status_is_judged_by_its_code() {
        assert_eq!(from_status(&Status::unavailable("refused")).code, ErrorCode::Unavailable);
        assert_eq!(from_status(&Status::cancelled("gone")).code, ErrorCode::Unknown);
    }
}
