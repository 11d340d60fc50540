//! The access token of a request.

use http::{header, request::Parts};
use percent_encoding::percent_decode_str;

use crate::error::MatrixError;

/// The access token: `Authorization: Bearer`, else `?access_token=` where `allow_query` (the specification dropped it after v1.19;
/// old clients and conformance suites still send it). `None` where there is neither.
///
/// # Errors
/// M_MISSING_TOKEN where there is an Authorization header that is not a bearer token.
pub fn access_token(parts: &Parts, allow_query: bool) -> Result<Option<String>, MatrixError> {
    if let Some(value) = parts.headers.get(header::AUTHORIZATION) {
        let text = value.to_str().map_err(|_| MatrixError::missing_token())?;
        let (scheme, token) = text.trim().split_once(' ').ok_or_else(MatrixError::missing_token)?;
        let token = token.trim();
        if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
            return Err(MatrixError::missing_token());
        }
        return Ok(Some(token.to_owned()));
    }
    if !allow_query {
        return Ok(None);
    }
    let pairs = parts.uri.query().unwrap_or_default().split('&');
    let token = pairs.filter_map(|pair| pair.strip_prefix("access_token=")).find(|token| !token.is_empty());
    Ok(token.map(|token| percent_decode_str(token).decode_utf8_lossy().into_owned()))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn token(header: Option<&str>, uri: &str, allow_query: bool) -> Result<Option<String>, MatrixError> {
        let mut request = Request::get(uri);
        if let Some(value) = header {
            request = request.header(header::AUTHORIZATION, value);
        }
        access_token(&request.body(()).unwrap().into_parts().0, allow_query)
    }

    #[test]
    fn the_header_wins_over_the_query() {
        assert_eq!(token(Some("Bearer abc"), "/?access_token=def", true).unwrap().as_deref(), Some("abc"));
        assert_eq!(token(Some("bearer  abc "), "/", false).unwrap().as_deref(), Some("abc"));
        assert_eq!(token(None, "/?x=1&access_token=d%2Bf", true).unwrap().as_deref(), Some("d+f"));
    }

    #[test]
    fn the_query_can_be_switched_off() {
        assert_eq!(token(None, "/?access_token=def", false).unwrap(), None);
        assert_eq!(token(None, "/", true).unwrap(), None);
        assert_eq!(token(None, "/?access_token=", true).unwrap(), None);
    }

    #[test]
    fn another_scheme_is_no_token() {
        for value in ["Basic abc", "Bearer", "Bearer ", "abc"] {
            assert_eq!(token(Some(value), "/", true).unwrap_err().errcode, "M_MISSING_TOKEN", "{value}");
        }
    }
}
