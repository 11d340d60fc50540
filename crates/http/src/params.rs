//! Path and query parameters, with the specification's errors.

use axum::extract::{FromRequestParts, rejection::PathRejection};
use http::{Uri, request::Parts};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use crate::error::MatrixError;

/// Parameters of the path, percent-decoded. Not UTF-8 or of the wrong shape: 400 M_INVALID_PARAM.
#[derive(Clone, Debug)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = MatrixError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, MatrixError> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(params)) => Ok(Self(params)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => Err(MatrixError::invalid_param(error.body_text())),
            Err(error) => Err(MatrixError::internal(error.to_string())),
        }
    }
}

/// Parameters of the query string. A required one that is missing: 400 M_MISSING_PARAM; one that cannot be read: 400 M_INVALID_PARAM.
#[derive(Clone, Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = MatrixError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MatrixError> {
        axum::extract::Query::<T>::try_from_uri(&parts.uri).map(|axum::extract::Query(params)| Self(params)).map_err(|rejection| {
            let text = rejection.body_text();
            if text.contains("missing field") { MatrixError::missing_param(text) } else { MatrixError::invalid_param(text) }
        })
    }
}

/// Every value of a parameter that may be repeated (`via`, `server_name`), in order.
#[must_use]
pub fn repeated(uri: &Uri, name: &str) -> Vec<String> {
    let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    pairs.filter(|(key, _)| decode(key) == name).map(|(_, value)| decode(value)).collect()
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, routing::get};
    use http::{Request, StatusCode};
    use serde::Deserialize;
    use tower::ServiceExt as _;

    use super::*;

    #[derive(Deserialize)]
    struct Page {
        dir: String,
        limit: Option<u32>,
    }

    async fn call(uri: &str) -> (StatusCode, String) {
        let handler = |Path((room, n)): Path<(String, u32)>, Query(page): Query<Page>| async move {
            format!("{room} {n} {} {:?}", page.dir, page.limit)
        };
        let router = Router::new().route("/r/{room}/{n}", get(handler));
        let response = router.oneshot(Request::get(uri).body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn ids_are_percent_decoded() {
        let (status, body) = call("/r/%21a%2Fb%3Aexample.org/7?dir=b&limit=3&unknown=1").await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "!a/b:example.org 7 b Some(3)"));
    }

    #[tokio::test]
    async fn parameters_have_the_specified_errors() {
        for (uri, errcode) in [
            ("/r/a/1", "M_MISSING_PARAM"),
            ("/r/a/1?dir=b&limit=many", "M_INVALID_PARAM"),
            ("/r/a/one?dir=b", "M_INVALID_PARAM"),
            ("/r/%ff/1?dir=b", "M_INVALID_PARAM"),
        ] {
            let (status, body) = call(uri).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{uri}");
            assert!(body.contains(errcode), "{uri}: {body}");
        }
    }

    #[test]
    fn repeated_parameters_are_all_read() {
        let uri = Uri::from_static("/x?via=a.org&limit=1&via=b%2Eorg%3A8448");
        assert_eq!(repeated(&uri, "via"), ["a.org", "b.org:8448"]);
        assert!(repeated(&Uri::from_static("/x"), "via").is_empty());
    }
}
