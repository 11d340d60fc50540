//! JSON bodies, with the specification's errors. The `Content-Type` is not looked at: clients are known to leave it out.

use axum::{
    body::Body,
    extract::{FromRequest, Request},
};
use bytes::Bytes;
use http::{StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;

use crate::error::MatrixError;

/// How deep arrays and objects of a body may nest. Deeper ones are M_BAD_JSON, before anything recurses into them.
pub const MAX_DEPTH: usize = 100;

/// The largest body in bytes, put into a request's extensions by the edge.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimit(pub usize);

impl Default for BodyLimit {
    /// 1 MiB: a page of events or a large room's initial state fits, an upload does not.
    fn default() -> Self {
        Self(1 << 20)
    }
}

/// A body that must be there. Not JSON: 400 M_NOT_JSON; JSON of another shape: 400 M_BAD_JSON; too large: 413 M_TOO_LARGE.
#[derive(Clone, Debug)]
pub struct Json<T>(pub T);

/// A body that may be left out, which reads as the default.
#[derive(Clone, Debug)]
pub struct OptionalJson<T>(pub T);

/// A body that is a JSON object of any shape, as the bytes that came.
#[derive(Clone, Debug)]
pub struct RawObject(pub Bytes);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = MatrixError;

    async fn from_request(request: Request, _: &S) -> Result<Self, MatrixError> {
        let bytes = read(request).await?;
        parse_object(&bytes).map(Self)
    }
}

impl<S: Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalJson<T> {
    type Rejection = MatrixError;

    async fn from_request(request: Request, _: &S) -> Result<Self, MatrixError> {
        let bytes = read(request).await?;
        if bytes.trim_ascii().is_empty() {
            return Ok(Self(T::default()));
        }
        parse_object(&bytes).map(Self)
    }
}

impl<S: Sync> FromRequest<S> for RawObject {
    type Rejection = MatrixError;

    async fn from_request(request: Request, _: &S) -> Result<Self, MatrixError> {
        let bytes = read(request).await?;
        parse_object::<IgnoredAny>(&bytes)?;
        Ok(Self(bytes))
    }
}

/// The whole body, if it is not larger than the request's [`BodyLimit`].
async fn read(request: Request) -> Result<Bytes, MatrixError> {
    let limit = request.extensions().get::<BodyLimit>().copied().unwrap_or_default().0;
    let too_large =
        || MatrixError::new(StatusCode::PAYLOAD_TOO_LARGE, "M_TOO_LARGE", format!("The body is larger than {limit} bytes"));
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let body: Body = request.into_body();
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => {
            tracing::debug!(error = %error, "a body ended early");
            Err(MatrixError::not_json("The body could not be read"))
        }
    }
}

/// Reads JSON that came from outside.
///
/// # Errors
/// M_NOT_JSON where it is not JSON at all, M_BAD_JSON where it nests deeper than [`MAX_DEPTH`] or has another shape than `T`.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, MatrixError> {
    let text = std::str::from_utf8(bytes).map_err(|_| MatrixError::not_json("The body is not UTF-8"))?;
    if depth(bytes) > MAX_DEPTH {
        return Err(MatrixError::bad_json(format!("The body nests deeper than {MAX_DEPTH} levels")));
    }
    serde_json::from_str(text).map_err(|error| {
        // The shape may be found wrong before a later syntax error is seen: that would still not be JSON.
        let is_json = error.classify() == Category::Data && serde_json::from_str::<IgnoredAny>(text).is_ok();
        if is_json {
            MatrixError::bad_json(error.to_string())
        } else {
            MatrixError::not_json(format!("The body is not JSON: {error}"))
        }
    })
}

/// Reads JSON that must be an object: serde would take a list for a struct too.
fn parse_object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, MatrixError> {
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        parse::<IgnoredAny>(bytes)?;
        return Err(MatrixError::bad_json("Expected a JSON object"));
    }
    parse(bytes)
}

/// The deepest nesting of brackets outside of strings.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    type Numbers = BTreeMap<String, u32>;

    fn request(body: impl Into<Body>) -> Request {
        let mut request = Request::new(body.into());
        request.extensions_mut().insert(BodyLimit(64));
        request
    }

    async fn error_of(body: impl Into<Body>) -> (u16, String) {
        let error = Json::<Numbers>::from_request(request(body), &()).await.unwrap_err();
        (error.status.as_u16(), error.errcode.into_owned())
    }

    #[tokio::test]
    async fn bodies_have_the_specified_errors() {
        assert_eq!(error_of("").await, (400, "M_NOT_JSON".to_owned()));
        assert_eq!(error_of("{").await, (400, "M_NOT_JSON".to_owned()));
        assert_eq!(error_of("{\"a\":1,}").await, (400, "M_NOT_JSON".to_owned()));
        assert_eq!(error_of(&b"{\"a\":\"\xff\"}"[..]).await, (400, "M_NOT_JSON".to_owned()));
        assert_eq!(error_of("[]").await, (400, "M_BAD_JSON".to_owned()));
        assert_eq!(error_of("{\"a\":\"b\"}").await, (400, "M_BAD_JSON".to_owned()));
        // Wrong in shape first, and no JSON in the end.
        assert_eq!(error_of("{\"a\":\"b\"").await, (400, "M_NOT_JSON".to_owned()));
        assert_eq!(error_of("[".repeat(60)).await, (400, "M_NOT_JSON".to_owned()));
        assert_eq!(error_of(" ".repeat(65)).await, (413, "M_TOO_LARGE".to_owned()));
    }

    #[tokio::test]
    async fn a_body_without_length_is_cut_off_at_the_limit() {
        let stream = futures::stream::iter((0..10).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 10]))));
        assert_eq!(error_of(Body::from_stream(stream)).await, (413, "M_TOO_LARGE".to_owned()));
    }

    #[tokio::test]
    async fn only_optional_bodies_may_be_left_out() {
        let OptionalJson(body) = OptionalJson::<Numbers>::from_request(request(" \n"), &()).await.unwrap();
        assert!(body.is_empty());
        let OptionalJson(body) = OptionalJson::<Numbers>::from_request(request("{\"a\":1}"), &()).await.unwrap();
        assert_eq!(body["a"], 1);
        assert!(OptionalJson::<Numbers>::from_request(request("{"), &()).await.is_err());
    }

    #[tokio::test]
    async fn a_list_is_not_taken_for_a_struct() {
        #[derive(Debug, Default, serde::Deserialize)]
        struct Optional {
            #[serde(default)]
            _reason: Option<String>,
        }
        assert_eq!(OptionalJson::<Optional>::from_request(request("[]"), &()).await.unwrap_err().errcode, "M_BAD_JSON");
        assert_eq!(Json::<Optional>::from_request(request("[null]"), &()).await.unwrap_err().errcode, "M_BAD_JSON");
        assert!(Json::<Optional>::from_request(request("{}"), &()).await.is_ok());
    }

    #[tokio::test]
    async fn raw_objects_keep_their_bytes() {
        let RawObject(bytes) = RawObject::from_request(request(" {\"a\" : 1} "), &()).await.unwrap();
        assert_eq!(bytes, " {\"a\" : 1} ");
        assert_eq!(RawObject::from_request(request("[1]"), &()).await.unwrap_err().errcode, "M_BAD_JSON");
        assert_eq!(RawObject::from_request(request("nope"), &()).await.unwrap_err().errcode, "M_NOT_JSON");
    }

    #[test]
    fn nesting_is_bounded_and_strings_do_not_count() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(parse::<IgnoredAny>(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(parse::<IgnoredAny>(nested(MAX_DEPTH + 1).as_bytes()).unwrap_err().errcode, "M_BAD_JSON");
        let text = format!("{{\"a\":\"\\\"{}\"}}", "[".repeat(500));
        assert!(parse::<IgnoredAny>(text.as_bytes()).is_ok());
    }
}
