//! Which state of a room a client wants (MSC4186, `required_state`).

use std::collections::{BTreeMap, BTreeSet};

use ruma::UserId;

/// Matches every type, or every state key.
const ANY: &str = "*";
/// The type of memberships.
const MEMBER: &str = "m.room.member";

/// Pairs of event type and state key, either of which may be `*`, and whether members come only as they are needed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RequiredState {
    keys: BTreeMap<String, BTreeSet<String>>,
    lazy: bool,
}

impl RequiredState {
    /// Reads what a client wrote: the key `$ME` is the user, and `$LAZY` of memberships asks for those that a timeline needs.
    #[must_use]
    pub fn of_request(elements: Vec<(String, String)>, user: &UserId) -> Self {
        let mut required = Self::default();
        for (kind, key) in elements {
            match key.as_str() {
                "$LAZY" if kind == MEMBER => required.lazy = true,
                "$ME" => required.insert(kind, user.to_string()),
                _ => required.insert(kind, key),
            }
        }
        required.lazy &= !required.has(MEMBER, ANY);
        required
    }

    /// As it was kept.
    #[must_use]
    pub fn of_parts(elements: impl IntoIterator<Item = (String, String)>, lazy: bool) -> Self {
        let mut required = Self { lazy, ..Self::default() };
        elements.into_iter().for_each(|(kind, key)| required.insert(kind, key));
        required
    }

    /// Every pair.
    pub fn elements(&self) -> impl Iterator<Item = (&str, &str)> {
        self.keys.iter().flat_map(|(kind, keys)| keys.iter().map(|key| (kind.as_str(), key.as_str())))
    }

    /// Whether members come only as they are needed.
    #[must_use]
    pub const fn is_lazy(&self) -> bool {
        self.lazy
    }

    /// Whether it asks for a state event, as far as it is not lazily loaded.
    #[must_use]
    pub fn takes(&self, kind: &str, key: &str) -> bool {
        self.has(kind, key)
            || self.has(kind, ANY)
            || (key != ANY && self.has(ANY, key))
            || (self.has(ANY, ANY) && !(self.lazy && kind == MEMBER))
    }

    /// Whether everything that it takes is taken by `other`, too.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        let widened = self.has(ANY, ANY) && other.lazy && !self.lazy;
        !widened && self.elements().all(|(kind, key)| other.takes(kind, key))
    }

    /// What takes everything that either takes. Members are lazy if either says so and neither takes them all.
    pub fn add(&mut self, other: &Self) {
        self.lazy = (self.lazy || other.lazy) && !self.has_all_members() && !other.has_all_members();
        for (kind, key) in other.elements() {
            self.insert(kind.to_owned(), key.to_owned());
        }
    }

    /// Pairs without a wildcard.
    pub fn exact(&self) -> impl Iterator<Item = (&str, &str)> {
        self.elements().filter(|(kind, key)| *kind != ANY && *key != ANY)
    }

    /// Types that are wanted with all their keys.
    pub fn whole_types(&self) -> impl Iterator<Item = &str> {
        self.elements().filter(|(kind, key)| *kind != ANY && *key == ANY).map(|(kind, _)| kind)
    }

    /// Whether some keys are wanted of all types.
    #[must_use]
    pub fn has_any_type(&self) -> bool {
        self.keys.contains_key(ANY)
    }

    fn has_all_members(&self) -> bool {
        self.has(MEMBER, ANY) || (self.has(ANY, ANY) && !self.lazy)
    }

    fn has(&self, kind: &str, key: &str) -> bool {
        self.keys.get(kind).is_some_and(|keys| keys.contains(key))
    }

    fn insert(&mut self, kind: String, key: String) {
        self.keys.entry(kind).or_default().insert(key);
    }
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;

    fn required(elements: &[(&str, &str)]) -> RequiredState {
        let elements = elements.iter().map(|(kind, key)| ((*kind).to_owned(), (*key).to_owned())).collect();
        RequiredState::of_request(elements, user_id!("@me:x"))
    }

    #[test]
    fn wildcards_me_and_lazy() {
        let wanted = required(&[("m.room.name", ""), ("m.space.child", "*"), (MEMBER, "$ME"), (MEMBER, "$LAZY")]);
        assert!(wanted.takes("m.room.name", "") && wanted.takes("m.space.child", "!a:x") && wanted.takes(MEMBER, "@me:x"));
        assert!(!wanted.takes("m.room.topic", "") && !wanted.takes(MEMBER, "@you:x") && wanted.is_lazy());
        let wanted = required(&[("*", "*"), (MEMBER, "$LAZY"), (MEMBER, "@you:x")]);
        assert!(wanted.takes("m.room.name", "") && wanted.takes(MEMBER, "@you:x") && !wanted.takes(MEMBER, "@me:x"));
        assert!(required(&[("*", "")]).takes("m.room.name", "") && !required(&[("*", "")]).takes(MEMBER, "@me:x"));
        assert!(!required(&[(MEMBER, "*"), (MEMBER, "$LAZY")]).is_lazy());
    }

    #[test]
    fn a_union_takes_what_either_takes() {
        let lazy = required(&[("*", "*"), (MEMBER, "$LAZY")]);
        let mut both = required(&[("m.room.name", "")]);
        both.add(&lazy);
        assert!(both.is_lazy() && both.takes("m.room.topic", ""));
        both.add(&required(&[("*", "*")]));
        assert!(!both.is_lazy() && both.takes(MEMBER, "@you:x"));
    }

    #[test]
    fn within_is_about_what_is_taken() {
        let (all, lazy) = (required(&[("*", "*")]), required(&[("*", "*"), (MEMBER, "$LAZY")]));
        let names = required(&[("m.room.name", ""), (MEMBER, "@a:x")]);
        assert!(names.is_within(&all) && !names.is_within(&lazy) && !all.is_within(&lazy) && lazy.is_within(&all));
        assert!(!required(&[(MEMBER, "*")]).is_within(&lazy) && required(&[(MEMBER, "*")]).is_within(&all));
        assert!(!all.is_within(&names) && required(&[]).is_within(&names) && names.is_within(&names));
        assert!(required(&[("a", "*")]).is_within(&all) && !required(&[("a", "*")]).is_within(&required(&[("a", "b")])));
    }
}
