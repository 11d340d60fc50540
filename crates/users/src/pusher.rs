//! What a pusher may be (client-server specification, POST /pushers/set).

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::users::Pusher;
use serde_json::{Map, Value};

use crate::PusherKey;

/// Pushers of one user at most.
pub const MAX_OF_USER: usize = 100;

/// Longest `app_id` (characters), `pushkey` and each of the names (bytes).
const MAX_APP_ID: usize = 64;
const MAX_PUSHKEY: usize = 512;
const MAX_TEXT: usize = 512;
/// Largest `data`.
const MAX_DATA: usize = 16 * 1024;
/// Where gateways listen.
const GATEWAY_PATH: &str = "/_matrix/push/v1/notify";

/// Checks what names a pusher.
///
/// # Errors
/// M_INVALID_PARAM for what is too long or empty.
pub fn check_key(key: &PusherKey) -> Result<(), ServiceError> {
    if key.app_id.is_empty() || key.app_id.chars().count() > MAX_APP_ID {
        return Err(ServiceError::invalid_param("app_id has 1 to 64 characters"));
    }
    if key.pushkey.is_empty() || key.pushkey.len() > MAX_PUSHKEY {
        return Err(ServiceError::invalid_param("pushkey has 1 to 512 bytes"));
    }
    Ok(())
}

/// Checks a pusher.
///
/// # Errors
/// M_INVALID_PARAM for a kind that does not exist, for a URL that is none of a gateway, and for what is too long; M_MISSING_PARAM for a
/// pusher of kind `http` without a URL.
pub fn check(key: &PusherKey, pusher: &Pusher) -> Result<(), ServiceError> {
    check_key(key)?;
    let Pusher { app_display_name, device_display_name, profile_tag, lang, data, .. } = pusher;
    if [app_display_name, device_display_name, profile_tag, lang].iter().any(|text| text.len() > MAX_TEXT) || data.len() > MAX_DATA
    {
        return Err(ServiceError::invalid_param("The pusher is too large"));
    }
    let data: Map<String, Value> =
        serde_json::from_slice(data).map_err(|_| ServiceError::invalid_param("data is not a JSON object"))?;
    match pusher.kind.as_str() {
        "http" => check_url(data.get("url")),
        "email" if key.app_id == "m.email" => Ok(()),
        "email" => Err(ServiceError::invalid_param("The app_id of a pusher of kind email is m.email")),
        _ => Err(ServiceError::invalid_param("There is no such kind of pusher")),
    }
}

fn check_url(url: Option<&Value>) -> Result<(), ServiceError> {
    let url = url.ok_or_else(|| ServiceError::matrix(ErrorCode::InvalidArgument, "M_MISSING_PARAM", "data.url is missing"))?;
    let rest = url.as_str().and_then(|url| url.strip_prefix("https://"));
    let host = rest.and_then(|rest| rest.split_once('?').map_or(rest, |(rest, _)| rest).strip_suffix(GATEWAY_PATH));
    let is_host = |host: &str| !host.is_empty() && !host.contains(|char: char| char.is_whitespace() || "/@#\\".contains(char));
    if host.is_some_and(is_host) {
        return Ok(());
    }
    Err(ServiceError::invalid_param("data.url is an https URL with the path /_matrix/push/v1/notify"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(app_id: &str, pushkey: &str) -> PusherKey {
        PusherKey { app_id: app_id.to_owned(), pushkey: pushkey.to_owned() }
    }

    fn code(kind: &str, app_id: &str, data: &Value) -> Option<String> {
        let pusher = Pusher { kind: kind.to_owned(), data: data.to_string().into(), ..Pusher::default() };
        check(&key(app_id, "k"), &pusher).err().and_then(|error| error.errcode).map(|code| code.to_string())
    }

    #[test]
    fn gateways_have_an_https_url_with_the_path_of_the_specification() {
        let url = |url: &str| code("http", "app", &json!({ "url": url }));
        for good in ["https://push.example.org/_matrix/push/v1/notify", "https://[::1]:8448/_matrix/push/v1/notify?a=b"] {
            assert_eq!(url(good), None, "{good}");
        }
        for bad in [
            "http://push.example.org/_matrix/push/v1/notify",
            "https://push.example.org/",
            "https:///_matrix/push/v1/notify",
            "https://a b/_matrix/push/v1/notify",
            "https://user@host/_matrix/push/v1/notify",
            "https://push.example.org/x/_matrix/push/v1/notify",
        ] {
            assert_eq!(url(bad).as_deref(), Some("M_INVALID_PARAM"), "{bad}");
        }
        assert_eq!(code("http", "app", &json!({})).as_deref(), Some("M_MISSING_PARAM"));
    }

    #[test]
    fn kinds_and_keys() {
        assert_eq!(code("email", "m.email", &json!({})), None);
        assert_eq!(code("email", "app", &json!({})).as_deref(), Some("M_INVALID_PARAM"));
        assert_eq!(code("smoke", "app", &json!({})).as_deref(), Some("M_INVALID_PARAM"));
        assert_eq!(code("email", "m.email", &json!([])).as_deref(), Some("M_INVALID_PARAM"));
        for (app_id, pushkey) in [("", "k"), ("a", ""), (&*"ä".repeat(65), "k"), ("a", &*"k".repeat(513))] {
            assert!(check_key(&key(app_id, pushkey)).is_err());
        }
        assert!(check_key(&key(&"ä".repeat(64), &"k".repeat(512))).is_ok());
    }
}
