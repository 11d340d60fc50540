//! Which server a request is meant for.

use http::{header, request::Parts};

/// The name that the caller asked for, with its port if it gave one: `:authority` of HTTP/2 or an absolute target, else `Host`.
#[must_use]
pub fn requested_host(parts: &Parts) -> Option<&str> {
    if let Some(authority) = parts.uri.authority() {
        return Some(authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, host)| host));
    }
    parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(str::trim).filter(|host| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn authority_comes_before_the_header() {
        let parts = |uri: &str| Request::get(uri).header(header::HOST, "b.example:8008").body(()).unwrap().into_parts().0;
        assert_eq!(requested_host(&parts("https://a.example:1/x")), Some("a.example:1"));
        assert_eq!(requested_host(&parts("/x")), Some("b.example:8008"));
        assert_eq!(requested_host(&Request::get("/x").body(()).unwrap().into_parts().0), None);
    }
}
