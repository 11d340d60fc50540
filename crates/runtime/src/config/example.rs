//! Prints a complete configuration with every option, its meaning and its default, from the types themselves.

use std::fmt::Write as _;

use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::{Map, Value};

/// Comments are wrapped at this column.
const WIDTH: usize = 110;

/// A TOML text with every option of a configuration, its meaning and its default. Options that have no default are commented out. Read
/// back, it gives the default.
#[must_use]
pub fn example<C: JsonSchema + Serialize + Default>() -> String {
    let schema = schema_for!(C).to_value();
    let defaults = serde_json::to_value(C::default()).unwrap_or_default();
    let printer = Printer { definitions: schema["$defs"].as_object().cloned().unwrap_or_default() };
    let mut out = String::new();
    printer.table(&mut out, &Place::root(), &schema, &defaults);
    out.trim_start().to_owned()
}

/// Where in the file the printer is.
#[derive(Clone)]
struct Place {
    /// Keys from the root.
    path: Vec<String>,
    /// Everything is commented out: an example of what is not there by default.
    commented: bool,
    /// The table is an element of a list.
    in_list: bool,
}

impl Place {
    const fn root() -> Self {
        Self { path: Vec::new(), commented: false, in_list: false }
    }

    fn inner(&self, key: &str, commented: bool, in_list: bool) -> Self {
        let path = self.path.iter().cloned().chain([key.to_owned()]).collect();
        Self { path, commented: self.commented || commented, in_list }
    }

    fn line(&self, out: &mut String, text: &str) {
        let mark = if self.commented { "# " } else { "" };
        // Writing to a string does not fail.
        let _ = writeln!(out, "{mark}{text}");
    }
}

struct Printer {
    definitions: Map<String, Value>,
}

impl Printer {
    /// The options of a table: values first, tables after them.
    fn table(&self, out: &mut String, place: &Place, schema: &Value, defaults: &Value) {
        let (chosen, others) = self.variants(schema, defaults);
        if !others.is_empty() {
            self.comment(out, &chosen);
        }
        self.options(out, place, &chosen, defaults);
        for other in others {
            self.alternative(out, place, &other);
        }
    }

    fn options(&self, out: &mut String, place: &Place, schema: &Value, defaults: &Value) {
        let Some(options) = schema["properties"].as_object() else { return };
        let resolved: Vec<(&String, Value)> = options.iter().map(|(key, option)| (key, self.resolve(option))).collect();
        let (tables, values): (Vec<_>, Vec<_>) = resolved.iter().partition(|(_, option)| self.is_table(option));
        for (key, option) in values {
            self.value(out, place, key, option, default_of(defaults, option, key));
        }
        for (key, option) in tables {
            self.inner_table(out, place, key, option, default_of(defaults, option, key));
        }
    }

    fn value(&self, out: &mut String, place: &Place, key: &str, option: &Value, default: &Value) {
        self.comment(out, option);
        let (value, commented) = if default.is_null() { (self.placeholder(option), true) } else { (default.clone(), false) };
        let text = toml::Value::try_from(&value).map_or_else(|_| "\"\"".to_owned(), |value| value.to_string());
        let inner = Place { commented: place.commented || commented, ..place.clone() };
        inner.line(out, &format!("{key} = {text}"));
    }

    fn inner_table(&self, out: &mut String, place: &Place, key: &str, option: &Value, default: &Value) {
        out.push('\n');
        self.comment(out, option);
        if option["type"] == "array" {
            return self.list(out, place, key, option, default);
        }
        if let Some(element) = map_element(option) {
            return self.map(out, place, key, element, default);
        }
        let inner = place.inner(key, default.is_null(), false);
        self.header(out, &inner);
        self.table(out, &inner, option, default);
    }

    fn list(&self, out: &mut String, place: &Place, key: &str, option: &Value, default: &Value) {
        let element = self.resolve(&option["items"]);
        let elements = default.as_array().cloned().unwrap_or_default();
        for default in &elements {
            let inner = place.inner(key, false, true);
            self.header(out, &inner);
            self.table(out, &inner, &element, default);
        }
        if elements.is_empty() {
            let inner = place.inner(key, true, true);
            self.header(out, &inner);
            self.table(out, &inner, &element, &Value::Null);
        }
    }

    fn map(&self, out: &mut String, place: &Place, key: &str, element: &Value, default: &Value) {
        let element = self.resolve(element);
        let entries = default.as_object().cloned().unwrap_or_default();
        let here = place.inner(key, entries.is_empty(), false);
        for (name, default) in &entries {
            let inner = here.inner(name, false, false);
            self.header(out, &inner);
            self.table(out, &inner, &element, default);
        }
        if entries.is_empty() {
            let inner = here.inner("NAME", true, false);
            self.header(out, &inner);
            self.table(out, &inner, &element, &Value::Null);
        }
    }

    fn header(&self, out: &mut String, place: &Place) {
        let path = place.path.iter().map(|key| toml_key(key)).collect::<Vec<_>>().join(".");
        place.line(out, &if place.in_list { format!("[[{path}]]") } else { format!("[{path}]") });
    }

    fn comment(&self, out: &mut String, option: &Value) {
        let meaning = option["description"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        let choices = self.choices(option);
        let mentioned = choices.iter().all(|choice| meaning.contains(&format!("`{choice}`")));
        let all = if choices.is_empty() || mentioned { meaning } else { format!("{meaning} One of: {}.", choices.join(", ")) };
        for line in wrap(&all) {
            let _ = writeln!(out, "# {line}");
        }
    }

    /// The values that a closed set of words has.
    fn choices(&self, option: &Value) -> Vec<String> {
        let listed = option["enum"].as_array().into_iter().flatten();
        let described = option["oneOf"].as_array().into_iter().flatten().flat_map(|variant| {
            let several = variant["enum"].as_array().cloned().unwrap_or_default();
            several.into_iter().chain([variant["const"].clone()])
        });
        listed.cloned().chain(described).filter_map(|choice| choice.as_str().map(str::to_owned)).collect()
    }

    /// Whether an option is written as a table of its own, or several.
    fn is_table(&self, option: &Value) -> bool {
        let element = if option["type"] == "array" { self.resolve(&option["items"]) } else { option.clone() };
        let has_options = |schema: &Value| schema["properties"].is_object();
        has_options(&element)
            || element["oneOf"].as_array().is_some_and(|variants| variants.iter().any(has_options))
            || map_element(&element).is_some_and(|inner| self.is_table(&self.resolve(inner)))
    }

    /// Another form that the table may have, commented out.
    fn alternative(&self, out: &mut String, place: &Place, schema: &Value) {
        let tags: Vec<String> = tags(schema).map(|(key, tag)| format!("{key} = {tag}")).collect();
        let _ = write!(out, "\n# Or, with {}:", tags.join(", "));
        out.push('\n');
        self.comment(out, schema);
        self.options(out, &Place { commented: true, ..place.clone() }, schema, &Value::Null);
    }

    /// Of a choice between tables, the one the default is, and the others.
    fn variants(&self, schema: &Value, defaults: &Value) -> (Value, Vec<Value>) {
        let Some(variants) = schema["oneOf"].as_array() else { return (schema.clone(), Vec::new()) };
        let mut variants: Vec<Value> = variants.iter().map(|variant| self.resolve(variant)).collect();
        let chosen = variants.iter().position(|variant| tags(variant).all(|(key, tag)| defaults[key] == *tag)).unwrap_or_default();
        if variants.is_empty() {
            return (Value::Null, variants);
        }
        (variants.remove(chosen), variants)
    }

    /// Follows references and takes the null out of what may be left out; what is said at the option wins over what its type says.
    fn resolve(&self, option: &Value) -> Value {
        let inner = match (option["$ref"].as_str(), option["anyOf"].as_array()) {
            (Some(reference), _) => reference.rsplit('/').next().and_then(|name| self.definitions.get(name)),
            (None, Some(choices)) => choices.iter().find(|choice| choice["type"] != "null"),
            (None, None) => None,
        };
        let Some(inner) = inner else { return option.clone() };
        let mut merged = self.resolve(inner);
        if let (Some(merged), Some(option)) = (merged.as_object_mut(), option.as_object()) {
            for (key, value) in option.iter().filter(|(key, _)| !matches!(key.as_str(), "$ref" | "anyOf")) {
                match (merged.get_mut(key).and_then(Value::as_object_mut), value.as_object()) {
                    (Some(there), Some(more)) if key == "properties" => there.extend(more.clone()),
                    _ => drop(merged.insert(key.clone(), value.clone())),
                }
            }
        }
        merged
    }

    /// Something to show where there is no default.
    fn placeholder(&self, option: &Value) -> Value {
        if let Some(tag) = option.get("const") {
            return tag.clone();
        }
        if let Some(choice) = self.choices(option).first() {
            return Value::from(choice.as_str());
        }
        let kinds = [&option["type"], &option["type"][0]];
        match kinds.into_iter().find_map(Value::as_str) {
            Some("integer") => Value::from(0),
            Some("number") => Value::from(0.0),
            Some("boolean") => Value::from(false),
            Some("array") => Value::Array(Vec::new()),
            Some("object") => Value::Object(Map::new()),
            _ => Value::from(""),
        }
    }
}

/// The options that tell one form of a table from another, and their values.
fn tags(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let options = schema["properties"].as_object().into_iter().flatten();
    options.filter_map(|(key, option)| option.get("const").map(|tag| (key, tag)))
}

/// The default of an option: what the whole default says, else what the option's own schema says.
fn default_of<'a>(defaults: &'a Value, option: &'a Value, key: &str) -> &'a Value {
    match defaults.get(key) {
        Some(default) => default,
        None => &option["default"],
    }
}

/// The schema of a map's values, if the option is a map.
fn map_element(option: &Value) -> Option<&Value> {
    option.get("additionalProperties").filter(|element| element.is_object() && !option["properties"].is_object())
}

fn toml_key(key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { key.to_owned() } else { format!("{key:?}") }
}

fn wrap(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::config::{HttpConfig, NodeConfig, OwnershipConfig, ShutdownConfig, TelemetryConfig};

    /// Everything a configuration may be made of.
    #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields, default)]
    struct Root {
        /// At the root.
        server_name: String,
        /// The node.
        node: NodeConfig,
        http: HttpConfig,
        bus: banyan_bus::BusConfig,
        telemetry: TelemetryConfig,
        shutdown: ShutdownConfig,
        ownership: OwnershipConfig,
        /// Perhaps.
        maybe: Option<Inner>,
        /// Many.
        tenants: Vec<Inner>,
        /// Two that are there.
        pairs: Vec<Inner>,
        /// By name.
        named: BTreeMap<String, Inner>,
        backend: Backend,
        store: banyan_store::StoreConfig,
    }

    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields, default)]
    struct Inner {
        /// How many.
        count: u32,
        /// What for.
        reason: Option<String>,
    }

    /// One of several.
    #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(tag = "kind", rename_all = "lowercase")]
    enum Backend {
        Memory {
            /// In MiB.
            size: u32,
        },
        Disk {
            /// Where.
            path: String,
        },
    }

    impl Default for Root {
        fn default() -> Self {
            Self {
                server_name: "localhost".to_owned(),
                node: NodeConfig::default(),
                http: HttpConfig::default(),
                bus: banyan_bus::BusConfig::default(),
                telemetry: TelemetryConfig::default(),
                shutdown: ShutdownConfig::default(),
                ownership: OwnershipConfig::default(),
                maybe: None,
                tenants: Vec::new(),
                pairs: vec![Inner::default(), Inner { count: 2, reason: Some("b".to_owned()) }],
                named: BTreeMap::new(),
                backend: Backend::Disk { path: "data".to_owned() },
                store: banyan_store::StoreConfig::default(),
            }
        }
    }

    #[test]
    fn the_example_reads_back_as_the_defaults() {
        let text = example::<Root>();
        let root: Root = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(root, Root::default(), "{text}");
    }

    #[test]
    fn every_option_and_its_meaning_are_there() {
        let text = example::<Root>();
        let lines: Vec<&str> = text.lines().collect();
        for line in [
            "server_name = \"localhost\"",
            "# At the root.",
            "[node]",
            "# advertise = \"\"",
            "[node.grpc]",
            "connect_timeout = \"500ms\"",
            "[http.federation]",
            "# tls_key_file = \"\"",
            "kind = \"local\"",
            "servers = [\"nats://127.0.0.1:4222\"]",
            "# [maybe]",
            "# [[tenants]]",
            "# count = 0",
            "# How many.",
            "[[pairs]]",
            "# [named.NAME]",
            "path = \"data\"",
            "# Or, with kind = \"memory\":",
            "# size = 0",
            "# Or, with kind = \"cql\":",
            "# Where.",
            "sample_ratio = 0.01",
        ] {
            assert!(lines.contains(&line), "{line:?} is not in\n{text}");
        }
        assert!(lines.iter().all(|line| line.len() <= 140), "{text}");
    }

    #[test]
    fn the_example_without_its_comment_signs_is_valid_too() {
        let text = example::<NodeConfig>();
        let bare = |line: &str| line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).unwrap_or(line).to_owned();
        let all: String = text.lines().map(|line| bare(line) + "\n").collect();
        let node: NodeConfig = toml::from_str(&all).unwrap_or_else(|error| panic!("{error}\n{all}"));
        assert_eq!(node.advertise.as_deref(), Some(""));
    }
}
