//! Where an app may have its users sent to (specification: "Redirect URI validation").

use url::{Host, Url};

/// The longest URI, in bytes.
pub(crate) const MAX_URI: usize = 2048;
/// Hosts of the loopback interface.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Whether an app may register a redirect URI. `client_uri` is its own address, which was checked.
pub(crate) fn may_register(uri: &str, client_uri: &Url, native: bool) -> bool {
    let Ok(url) = Url::parse(uri) else { return false };
    if uri.len() > MAX_URI || uri.contains('#') || uri.chars().any(|c| c.is_control() || c == ' ') {
        return false;
    }
    match url.scheme() {
        "https" => has_base(&url, client_uri),
        "http" => native && is_loopback(&url) && url.port().is_none() && has_no_user(&url) && !names_port(uri),
        scheme => native && !url.has_authority() && is_private_use(scheme, client_uri),
    }
}

/// Whether a redirect URI of a request is a registered one: the very same text, but for the port of a native app on the loopback
/// interface.
pub(crate) fn matches(registered: &str, asked: &str, native: bool) -> bool {
    if registered == asked {
        return true;
    }
    let (Ok(registered), Ok(mut url)) = (Url::parse(registered), Url::parse(asked)) else { return false };
    let loopback = native && registered.scheme() == "http" && is_loopback(&registered) && !asked.contains('#');
    loopback && url.set_port(None).is_ok() && url == registered
}

/// Whether a URL is HTTPS, without a user, on the host of `client_uri` or on a subdomain of it.
pub(crate) fn has_base(url: &Url, client_uri: &Url) -> bool {
    let below = match (url.host(), client_uri.host()) {
        (Some(Host::Domain(host)), Some(Host::Domain(base))) => {
            host == base || host.strip_suffix(base).is_some_and(|rest| rest.ends_with('.'))
        }
        (host, base) => host.is_some() && host == base,
    };
    url.scheme() == "https" && has_no_user(url) && below
}

/// The source that a Content-Security-Policy needs to let a form end at a redirect URI.
pub(crate) fn policy_source(uri: &str) -> String {
    let Ok(url) = Url::parse(uri) else { return String::new() };
    match (url.scheme(), url.host()) {
        // The policy has no way to name an address of version 6.
        ("https" | "http", Some(Host::Domain(_) | Host::Ipv4(_))) => url.origin().ascii_serialization(),
        (scheme, _) => format!("{scheme}:"),
    }
}

fn has_no_user(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none()
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| LOOPBACK.contains(&host))
}

/// A port that is the scheme's own is not in the parsed URL.
fn names_port(uri: &str) -> bool {
    let authority = uri.split_once("//").map(|(_, rest)| rest.split(['/', '?']).next().unwrap_or_default()).unwrap_or_default();
    authority.rsplit(']').next().is_some_and(|after| after.contains(':'))
}

/// Whether a scheme begins with the host of `client_uri`, its labels the other way round.
fn is_private_use(scheme: &str, client_uri: &Url) -> bool {
    let Some(Host::Domain(host)) = client_uri.host() else { return false };
    let reversed = host.rsplit('.').collect::<Vec<_>>().join(".");
    scheme.strip_prefix(reversed.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registers(uri: &str, native: bool) -> bool {
        may_register(uri, &Url::parse("https://example.com/").unwrap(), native)
    }

    #[test]
    fn the_examples_of_the_specification_hold() {
        for uri in ["https://example.com/callback", "https://app.example.com/callback", "https://example.com:5173/?query=value"] {
            assert!(registers(uri, false) && registers(uri, true), "{uri}");
        }
        for uri in ["https://example.com/callback#fragment", "http://example.com/callback", "http://localhost/"] {
            assert!(!registers(uri, false), "{uri}");
        }
        for uri in [
            "com.example.app:/callback",
            "com.example:/",
            "com.example:callback",
            "http://localhost/callback",
            "http://127.0.0.1/callback",
            "http://[::1]/callback",
        ] {
            assert!(registers(uri, true), "{uri}");
            assert!(!registers(uri, false), "{uri}");
        }
        for uri in
            ["example:/callback", "com.example.app://callback", "https://localhost/callback", "http://localhost:1234/callback"]
        {
            assert!(!registers(uri, true), "{uri}");
        }
    }

    #[test]
    fn nobody_gets_at_the_users_of_others() {
        for uri in [
            "https://evilexample.com/",
            "https://example.com.evil.org/",
            "https://example.com@evil.org/",
            "https://user:password@example.com/",
            "http://127.0.0.1@evil.org/",
            "http://localhost:80/callback",
            "http://[::1]:80/callback",
            "com.examples:/callback",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://example.com/\r\nx",
            "",
            "/callback",
        ] {
            assert!(!registers(uri, true) && !registers(uri, false), "{uri}");
        }
        assert!(!registers(&format!("https://example.com/{}", "a".repeat(MAX_URI)), false));
    }

    #[test]
    fn only_the_port_of_a_native_app_may_differ() {
        assert!(matches("https://example.com/cb", "https://example.com/cb", false));
        assert!(!matches("https://example.com/cb", "https://example.com/cb/", false));
        assert!(!matches("https://example.com/cb", "https://example.com:444/cb", true));
        for asked in ["http://127.0.0.1:9000/cb", "http://127.0.0.1/cb"] {
            assert!(matches("http://127.0.0.1/cb", asked, true), "{asked}");
        }
        assert!(matches("http://[::1]/cb", "http://[::1]:1/cb", true));
        assert!(!matches("http://127.0.0.1/cb", "http://127.0.0.1:9000/cb", false));
        for asked in
            ["http://localhost:9000/cb", "http://127.0.0.1:9000/other", "http://127.0.0.1:9000/cb?x", "http://a@127.0.0.1/cb"]
        {
            assert!(!matches("http://127.0.0.1/cb", asked, true), "{asked}");
        }
    }

    #[test]
    fn policies_name_where_forms_end() {
        for (uri, source) in [
            ("https://app.example.com:444/cb?x", "https://app.example.com:444"),
            ("http://127.0.0.1:9000/cb", "http://127.0.0.1:9000"),
            ("http://[::1]:9000/cb", "http:"),
            ("com.example.app:/cb", "com.example.app:"),
        ] {
            assert_eq!(policy_source(uri), source);
        }
    }
}
