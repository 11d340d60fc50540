//! Reads a configuration from a file and the environment, and explains every mistake at once.

use std::{collections::BTreeSet, fs, path::Path};

use figment::{
    Figment,
    error::{Actual, Kind},
    providers::{Format, Toml},
    value::{Dict, Value},
};
use schemars::{JsonSchema, schema_for};
use serde::de::DeserializeOwned;

use super::{ConfigErrors, Mistake};

/// What the names of environment variables begin with.
const PREFIX: &str = "BANYAN_";
/// What stands between the levels of a name.
const SEPARATOR: &str = "__";
/// A configuration with more mistakes than this is not worth reading on.
const MAX_MISTAKES: usize = 100;

/// The environment variables that set options: `BANYAN_NODE__LISTEN` sets `node.listen`. Values are read as in TOML where they can
/// be, else as text.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// (name, key, value)
    variables: Vec<(String, String, String)>,
}

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self::from_variables(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// Given variables; others than `BANYAN_…` are ignored.
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let ours = variables.into_iter().filter_map(|(name, value)| {
            let key = name.strip_prefix(PREFIX)?.to_ascii_lowercase().replace(SEPARATOR, ".");
            Some((name, key, value))
        });
        let mut variables: Vec<_> = ours.filter(|(_, key, _)| key.split('.').all(|part| !part.is_empty())).collect();
        variables.sort();
        Self { variables }
    }

    /// Without the variables of one level that are no option of the root: programs and tests use such names for other things.
    fn only_options(&self, root: &[String]) -> Self {
        let is_option = |key: &str| key.contains('.') || root.iter().any(|option| option == key);
        Self { variables: self.variables.iter().filter(|(_, key, _)| is_option(key)).cloned().collect() }
    }

    fn find(&self, key: &str) -> Option<&(String, String, String)> {
        self.variables.iter().find(|(_, own, _)| own == key)
    }
}

/// Reads a configuration: the file's values over the defaults, the environment's over the file's.
///
/// # Errors
/// Every mistake, with its place.
pub fn load<C>(file: Option<&Path>, environment: &Environment) -> Result<C, ConfigErrors>
where
    C: DeserializeOwned + JsonSchema,
{
    let source = Source::read(file, environment.only_options(&root_options::<C>()))?;
    let mut values = source.merge()?;
    let mut errors = ConfigErrors::default();
    let mut removed = Removed::default();
    // Each mistake is taken out and the rest read again, so that one look shows them all.
    while errors.mistakes().len() < MAX_MISTAKES {
        let error = match Value::from(values.clone()).deserialize::<C>() {
            Ok(config) => return errors.or_ok(config),
            Err(error) => error,
        };
        if source.take_as_text(&mut values, &error) {
            continue;
        }
        let path = offending_path(&error);
        let original = removed.original(&path);
        // What was taken out for another mistake is not missing.
        if !removed.contains(&original) {
            errors.push(source.mistake(&original, &error.kind));
        }
        if !removed.remove(&mut values, &path) {
            break;
        }
    }
    Err(errors)
}

fn root_options<C: JsonSchema>() -> Vec<String> {
    let schema = schema_for!(C).to_value();
    schema["properties"].as_object().map(|options| options.keys().cloned().collect()).unwrap_or_default()
}

/// The path of the value to blame.
fn offending_path(error: &figment::Error) -> Vec<String> {
    let mut path = error.path.clone();
    match &error.kind {
        Kind::UnknownField(name, _) if path.last() != Some(name) => path.push(name.clone()),
        Kind::MissingField(name) => path.push(name.to_string()),
        _ => {}
    }
    path
}

/// The text of a file and the variables beside it.
struct Source {
    file: String,
    text: String,
    environment: Environment,
}

impl Source {
    fn read(file: Option<&Path>, environment: Environment) -> Result<Self, ConfigErrors> {
        let Some(path) = file else { return Ok(Self { file: String::new(), text: String::new(), environment }) };
        let file = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| one(&file, format!("cannot be read: {error}")))?;
        if let Err(error) = text.parse::<toml::Table>() {
            let line = error.span().map_or(1, |span| line_of(&text, span.start));
            return Err(one(&format!("{file} line {line}"), error.message().to_owned()));
        }
        Ok(Self { file, text, environment })
    }

    fn merge(&self) -> Result<Dict, ConfigErrors> {
        let mut figment = Figment::from(Toml::string(&self.text));
        for (_, key, value) in &self.environment.variables {
            // Never fails: what is nothing else is text.
            let value = value.parse::<Value>().unwrap_or_else(|_| Value::from(value.clone()));
            figment = figment.merge((key.as_str(), value));
        }
        figment.extract().map_err(|error| one(&self.file, error.to_string()))
    }

    /// A variable whose value looks like a number or a list may be meant as text: tries that before complaining.
    fn take_as_text(&self, values: &mut Dict, error: &figment::Error) -> bool {
        let wants_text = matches!(&error.kind, Kind::InvalidType(actual, wanted) if !matches!(actual, Actual::Str(_)) && wanted.contains("string"));
        let variable = self.environment.find(&error.path.join("."));
        let (true, Some((_, _, text))) = (wants_text, variable) else { return false };
        find(values, &error.path).is_some_and(|value| {
            *value = Value::from(text.clone());
            true
        })
    }

    fn mistake(&self, path: &[String], kind: &Kind) -> Mistake {
        Mistake { key: path.join("."), place: self.place(path), message: explain(kind) }
    }

    fn place(&self, path: &[String]) -> String {
        let prefixes = (1..=path.len()).rev().map(|length| path[..length].join("."));
        if let Some((name, _, _)) = prefixes.filter_map(|key| self.environment.find(&key)).next() {
            return name.clone();
        }
        match find_line(&self.text, path) {
            Some(line) => format!("{} line {line}", self.file),
            None => self.file.clone(),
        }
    }
}

/// What is wrong in words.
fn explain(kind: &Kind) -> String {
    match kind {
        Kind::UnknownField(_, []) => "there is no such option".to_owned(),
        Kind::UnknownField(_, known) => format!("there is no such option; there are: {}", known.join(", ")),
        Kind::UnknownVariant(given, known) => format!("{given:?} is not one of: {}", known.join(", ")),
        Kind::MissingField(_) => "is missing".to_owned(),
        Kind::InvalidType(given, wanted) | Kind::InvalidValue(given, wanted) => format!("is {given}, must be {wanted}"),
        other => other.to_string(),
    }
}

fn one(place: &str, message: String) -> ConfigErrors {
    let mut errors = ConfigErrors::default();
    errors.push(Mistake { key: String::new(), place: place.to_owned(), message });
    errors
}

fn find<'a>(values: &'a mut Dict, path: &[String]) -> Option<&'a mut Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(values.get_mut(first)?, |value, key| match value {
        Value::Dict(_, dict) => dict.get_mut(key),
        Value::Array(_, list) => list.get_mut(key.parse::<usize>().ok()?),
        _ => None,
    })
}

/// What was taken out so far, by its path in the source: elements of lists move up when one before them goes.
#[derive(Default)]
struct Removed(BTreeSet<Vec<String>>);

impl Removed {
    fn contains(&self, original: &[String]) -> bool {
        self.0.contains(original)
    }

    /// The path in the source of what is at `path` now.
    fn original(&self, path: &[String]) -> Vec<String> {
        let mut original: Vec<String> = Vec::new();
        for key in path {
            original.push(key.clone());
            if let Ok(mut place) = key.parse::<usize>() {
                let (last, parents) = (original.len() - 1, original[..original.len() - 1].to_vec());
                let gone = self.0.iter().filter(|gone| gone.len() == parents.len() + 1 && gone.starts_with(&parents));
                let mut gone: Vec<usize> = gone.filter_map(|gone| gone.last()?.parse().ok()).collect();
                gone.sort_unstable();
                for gone in gone {
                    place += usize::from(gone <= place);
                }
                original[last] = place.to_string();
            }
        }
        original
    }

    /// Takes the value at a path out, or the nearest one around it that there is; `false` if there is nothing to take out.
    fn remove(&mut self, values: &mut Dict, path: &[String]) -> bool {
        let Some((last, parents)) = path.split_last() else { return false };
        let original = self.original(path);
        let found = if parents.is_empty() {
            values.remove(last).is_some()
        } else {
            match find(values, parents) {
                Some(Value::Dict(_, dict)) => dict.remove(last).is_some(),
                Some(Value::Array(_, list)) => {
                    last.parse().ok().filter(|n: &usize| *n < list.len()).map(|n| list.remove(n)).is_some()
                }
                _ => false,
            }
        };
        if found {
            self.0.insert(original);
        }
        found || self.remove(values, parents)
    }
}

/// The line in which a key stands, or the innermost one around it that is there.
fn find_line(text: &str, path: &[String]) -> Option<usize> {
    use toml::de::{DeTable, DeValue};
    let root = DeTable::parse(text).ok()?;
    let mut table = root.get_ref();
    let mut line = None;
    let mut path = path.iter();
    while let Some(key) = path.next() {
        let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref().as_ref() == key.as_str()) else { break };
        line = Some(line_of(text, name.span().start));
        let mut value = value.get_ref();
        if let DeValue::Array(list) = value {
            let Some(item) = path.next().and_then(|n| n.parse().ok()).and_then(|n: usize| list.get(n)) else { break };
            line = Some(line_of(text, item.span().start));
            value = item.get_ref();
        }
        match value {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    line
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::config::{HumanDuration, NodeConfig, OwnershipConfig, TelemetryConfig};

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields, default)]
    struct Root {
        node: NodeConfig,
        telemetry: TelemetryConfig,
        ownership: OwnershipConfig,
        tenants: Vec<Tenant>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Tenant {
        server_name: String,
        #[serde(default)]
        public: bool,
    }

    fn read(text: &str, variables: &[(&str, &str)]) -> Result<Root, ConfigErrors> {
        let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        load(Some(file.path()), &Environment::from_variables(variables))
    }

    fn mistakes(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
        let errors = read(text, variables).unwrap_err();
        errors.mistakes().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn nothing_gives_the_defaults() {
        assert_eq!(load::<Root>(None, &Environment::default()), Ok(Root::default()));
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
        let text = "[node]\nadvertise = \"a:1\"\n[ownership]\nsilence = \"3s\"\n";
        let root =
            read(text, &[("BANYAN_NODE__ADVERTISE", "b:2"), ("BANYAN_NODE__ROLES", "[\"sync\"]"), ("BANYAN_BIN", "x")]).unwrap();
        assert_eq!(root.node.advertise.as_deref(), Some("b:2"));
        assert_eq!(root.node.roles, [crate::Role::Sync]);
        assert_eq!(root.ownership.silence, HumanDuration::secs(3));
        assert_eq!(root.ownership.heartbeat_interval, OwnershipConfig::default().heartbeat_interval);
    }

    #[test]
    fn a_number_in_a_variable_may_be_text() {
        assert_eq!(read("", &[("BANYAN_NODE__ADVERTISE", "12")]).unwrap().node.advertise.as_deref(), Some("12"));
    }

    #[test]
    fn all_mistakes_are_reported_with_their_places() {
        let text =
            "[node]\nlisten = \"nowhere\"\nroles = [\"sink\"]\n\n[node.grpc]\ntypo = 1\n[ownership]\nsilence = \"5 parsecs\"\n";
        let found = mistakes(text, &[("BANYAN_TELEMETRY__LOG_FORMAT", "xml"), ("BANYAN_NODE__WHAT", "1")]);
        let has = |parts: &[&str]| {
            assert!(found.iter().any(|line| parts.iter().all(|part| line.contains(part))), "{parts:?} in {found:#?}");
        };
        has(&["line 2: node.listen:"]);
        has(&["line 3: node.roles", "sink", "client-api"]);
        has(&["line 6: node.grpc.typo: there is no such option", "connect_timeout"]);
        has(&["line 8: ownership.silence:", "5 parsecs", "300ms"]);
        has(&["BANYAN_TELEMETRY__LOG_FORMAT: telemetry.log_format:", "xml", "human"]);
        has(&["BANYAN_NODE__WHAT: node.what:"]);
        assert_eq!(found.len(), 6, "{found:#?}");
    }

    #[test]
    fn mistakes_in_lists_are_found_too() {
        let found =
            mistakes("[[tenants]]\nserver_name = \"a\"\n\n[[tenants]]\npublic = true\n\n[[tenants]]\nserver_name = 3\n", &[]);
        assert!(found.iter().any(|line| line.contains("server_name: is missing")), "{found:#?}");
        assert!(found.iter().any(|line| line.contains("must be a string")), "{found:#?}");
        assert_eq!(found.len(), 2, "{found:#?}");
    }

    #[test]
    fn broken_toml_names_its_line() {
        let found = mistakes("[node]\n\nlisten = \n", &[]);
        assert!(found.len() == 1 && found[0].contains("line 3"), "{found:?}");
        let errors = load::<Root>(Some(Path::new("/nowhere/banyan.toml")), &Environment::default()).unwrap_err();
        assert!(errors.to_string().contains("/nowhere/banyan.toml: cannot be read"), "{errors}");
    }
}
