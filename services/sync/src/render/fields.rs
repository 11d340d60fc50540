//! `event_fields`: only some of an event.

use serde_json::{Map, Value};

use crate::error::SyncError;

/// Appends what `paths` name of an event.
pub(super) fn keep(out: &mut Vec<u8>, event: &[u8], paths: &[Vec<String>]) -> Result<(), SyncError> {
    let internal = |error: serde_json::Error| SyncError::Internal(format!("an event is not JSON: {error}"));
    let whole: Value = serde_json::from_slice(event).map_err(internal)?;
    let mut kept = Map::new();
    for path in paths {
        copy(&whole, &mut kept, path);
    }
    serde_json::to_writer(out, &kept).map_err(internal)
}

fn copy(from: &Value, to: &mut Map<String, Value>, path: &[String]) {
    let Some((name, rest)) = path.split_first() else { return };
    let Some(value) = from.get(name) else { return };
    if rest.is_empty() {
        to.insert(name.clone(), value.clone());
        return;
    }
    let mut inner = match to.remove(name) {
        Some(Value::Object(inner)) => inner,
        _ => Map::new(),
    };
    copy(value, &mut inner, rest);
    if !inner.is_empty() {
        to.insert(name.clone(), Value::Object(inner));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn named_fields_are_kept() {
        let event = json!({"type": "m", "sender": "@a:x", "content": {"body": "b", "x": {"y": 1, "z": 2}}, "unsigned": {"age": 1}});
        let paths = ["type", "content.body", "content.x.z", "content.none.at.all", "sender.no"];
        let paths: Vec<Vec<String>> = paths.iter().map(|path| path.split('.').map(str::to_owned).collect()).collect();
        let mut out = Vec::new();
        keep(&mut out, event.to_string().as_bytes(), &paths).unwrap();
        let kept: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(kept, json!({"type": "m", "content": {"body": "b", "x": {"z": 2}}}));
    }
}
