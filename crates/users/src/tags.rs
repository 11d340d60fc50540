//! The tags of a room: its account data `m.tag` (client-server specification, "Room Tagging").

use banyan_core::ServiceError;
use bytes::Bytes;
use serde_json::{Map, Value, json};

/// The type of the account data.
pub const TAG: &str = "m.tag";

/// Longest name of a tag, in bytes.
const MAX_NAME: usize = 255;

/// Checks a tag that a client wants to set.
///
/// # Errors
/// `M_INVALID_PARAM` for a name that is empty or over 255 bytes and an `order` outside of 0 to 1; `M_BAD_JSON` for an `order` that is no
/// number, and for what is no JSON object.
pub fn check(name: &str, content: &[u8]) -> Result<(), ServiceError> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(ServiceError::invalid_param("The name of a tag has 1 to 255 bytes"));
    }
    let content: Map<String, Value> =
        serde_json::from_slice(content).map_err(|_| ServiceError::bad_json("A tag is a JSON object"))?;
    match content.get("order").map(Value::as_f64) {
        None => Ok(()),
        Some(Some(order)) if (0.0..=1.0).contains(&order) => Ok(()),
        Some(Some(_)) => Err(ServiceError::invalid_param("order is between 0 and 1")),
        Some(None) => Err(ServiceError::bad_json("order is a number")),
    }
}

/// The tags of a content of [`TAG`], by name; none where it is not well-formed.
#[must_use]
pub fn of_content(content: &[u8]) -> Map<String, Value> {
    match serde_json::from_slice::<Value>(content).ok().as_mut().and_then(|content| content.get_mut("tags")).map(Value::take) {
        Some(Value::Object(tags)) => tags,
        _ => Map::new(),
    }
}

/// The content with a tag set, or removed (`None`).
#[must_use]
pub fn with(content: &[u8], name: &str, tag: Option<Value>) -> Bytes {
    let mut tags = of_content(content);
    match tag {
        Some(tag) => tags.insert(name.to_owned(), tag),
        None => tags.remove(name),
    };
    json!({ "tags": tags }).to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errcode(name: &str, content: &str) -> Option<String> {
        check(name, content.as_bytes()).err().and_then(|error| error.errcode).map(std::borrow::Cow::into_owned)
    }

    #[test]
    fn every_rule_has_its_error() {
        for content in ["{}", r#"{"order":0}"#, r#"{"order":0.25,"x":1}"#, r#"{"order":1.0}"#] {
            assert_eq!(errcode("u.work", content), None, "{content}");
        }
        assert_eq!(errcode("", "{}").as_deref(), Some("M_INVALID_PARAM"));
        assert_eq!(errcode(&"a".repeat(256), "{}").as_deref(), Some("M_INVALID_PARAM"));
        for order in ["1.5", "-0.1", "2"] {
            assert_eq!(errcode("a", &format!("{{\"order\":{order}}}")).as_deref(), Some("M_INVALID_PARAM"), "{order}");
        }
        for content in [r#"{"order":"0.5"}"#, r#"{"order":null}"#, "[]", "{"] {
            assert_eq!(errcode("a", content).as_deref(), Some("M_BAD_JSON"), "{content}");
        }
    }

    #[test]
    fn tags_come_and_go() {
        let one = with(b"", "u.a", Some(json!({"order": 0.5})));
        let two = with(&one, "u.b", Some(json!({})));
        assert_eq!(&two[..], br#"{"tags":{"u.a":{"order":0.5},"u.b":{}}}"#);
        assert_eq!(&with(&two, "u.a", None)[..], br#"{"tags":{"u.b":{}}}"#);
        assert_eq!(&with(br#"{"tags":[1]}"#, "u.a", None)[..], br#"{"tags":{}}"#);
    }
}
