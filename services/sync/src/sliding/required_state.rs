//! Which state of a room a client wants (MSC4186, `required_state`).

use std::collections::{BTreeMap, BTreeSet};

use ruma::UserId;

/// Matches every type, or every state key.
pub(super) const ANY: &str = "*";
/// The type of memberships.
const MEMBER: &str = "m.room.member";

/// Pairs of event type and state key, either of which may be `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keys(BTreeMap<String, BTreeSet<String>>);

/// Pairs, but for what other pairs name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Refined {
    /// What is wanted.
    pub include: Keys,
    /// What of it is not.
    pub exclude: Keys,
}

/// What takes a state event, and whether members come only as they are needed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RequiredState {
    keys: Keys,
    /// Those that exclude something stay apart from the others: each takes what it takes.
    refined: BTreeSet<Refined>,
    lazy: bool,
}

impl Keys {
    /// Of these pairs.
    pub fn new(elements: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut keys = Self::default();
        elements.into_iter().for_each(|(kind, key)| keys.insert(kind, key));
        keys
    }

    /// Every pair.
    pub fn elements(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|(kind, keys)| keys.iter().map(|key| (kind.as_str(), key.as_str())))
    }

    fn has(&self, kind: &str, key: &str) -> bool {
        self.0.get(kind).is_some_and(|keys| keys.contains(key))
    }

    fn insert(&mut self, kind: String, key: String) {
        self.0.entry(kind).or_default().insert(key);
    }

    /// Whether a pair names a state event; `lazy`: who names everything does not mean members.
    fn take(&self, kind: &str, key: &str, lazy: bool) -> bool {
        self.has(kind, key)
            || self.has(kind, ANY)
            || (key != ANY && self.has(ANY, key))
            || (self.has(ANY, ANY) && !(lazy && kind == MEMBER))
    }
}

impl Refined {
    fn takes(&self, kind: &str, key: &str, lazy: bool) -> bool {
        self.include.take(kind, key, lazy) && !self.exclude.take(kind, key, false)
    }
}

impl RequiredState {
    /// Reads pairs that a client wrote: the key `$ME` is the user, and `$LAZY` of memberships asks for those that a timeline needs.
    #[must_use]
    pub fn of_pairs(elements: Vec<(String, String)>, user: &UserId) -> Self {
        let mut required = Self::default();
        for (kind, key) in elements {
            match key.as_str() {
                "$LAZY" if kind == MEMBER => required.lazy = true,
                "$ME" => required.keys.insert(kind, user.to_string()),
                _ => required.keys.insert(kind, key),
            }
        }
        required.lazy &= !required.keys.has(MEMBER, ANY);
        required
    }

    /// Reads what a client includes and excludes (MSC4186, `RequiredStateRequest`).
    #[must_use]
    pub fn of_stable(include: Keys, exclude: Keys, lazy: bool) -> Self {
        let lazy = lazy && !include.has(MEMBER, ANY);
        if exclude.0.is_empty() {
            return Self { keys: include, refined: BTreeSet::new(), lazy };
        }
        Self { keys: Keys::default(), refined: BTreeSet::from([Refined { include, exclude }]), lazy }
    }

    /// As it was kept.
    #[must_use]
    pub const fn of_parts(keys: Keys, refined: BTreeSet<Refined>, lazy: bool) -> Self {
        Self { keys, refined, lazy }
    }

    /// The pairs of those that exclude nothing.
    #[must_use]
    pub const fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Those that exclude something.
    #[must_use]
    pub const fn refined(&self) -> &BTreeSet<Refined> {
        &self.refined
    }

    /// Whether members come only as they are needed.
    #[must_use]
    pub const fn is_lazy(&self) -> bool {
        self.lazy
    }

    /// Whether it asks for a state event, as far as it is not lazily loaded.
    #[must_use]
    pub fn takes(&self, kind: &str, key: &str) -> bool {
        self.keys.take(kind, key, self.lazy) || self.refined.iter().any(|refined| refined.takes(kind, key, self.lazy))
    }

    /// Whether everything that it takes is taken by `other`, too. Sometimes says no where it is.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        let within = |keys: &Keys| keys.elements().all(|(kind, key)| other.keys.take(kind, key, other.lazy));
        let widened = self.all_keys().any(|keys| keys.has(ANY, ANY)) && other.lazy && !self.lazy;
        let refined = |refined: &Refined| other.refined.contains(refined) || within(&refined.include);
        !widened && within(&self.keys) && self.refined.iter().all(refined)
    }

    /// What takes everything that either takes. Members are lazy if either says so and neither takes them all.
    pub fn add(&mut self, other: &Self) {
        self.lazy = (self.lazy || other.lazy) && !self.has_all_members() && !other.has_all_members();
        other.keys.elements().for_each(|(kind, key)| self.keys.insert(kind.to_owned(), key.to_owned()));
        self.refined.extend(other.refined.iter().cloned());
    }

    /// State events that are named by type and key, without a wildcard.
    #[must_use]
    pub fn exact(&self) -> BTreeSet<(&str, &str)> {
        let elements = self.all_keys().flat_map(Keys::elements);
        elements.filter(|(kind, key)| *kind != ANY && *key != ANY && self.takes(kind, key)).collect()
    }

    /// Types of which all keys may be wanted.
    #[must_use]
    pub fn whole_types(&self) -> BTreeSet<&str> {
        let elements = self.all_keys().flat_map(Keys::elements);
        elements.filter(|(kind, key)| *kind != ANY && *key == ANY).map(|(kind, _)| kind).collect()
    }

    /// Whether some keys are wanted of all types.
    #[must_use]
    pub fn has_any_type(&self) -> bool {
        self.all_keys().any(|keys| keys.0.contains_key(ANY))
    }

    fn all_keys(&self) -> impl Iterator<Item = &Keys> {
        std::iter::once(&self.keys).chain(self.refined.iter().map(|refined| &refined.include))
    }

    fn has_all_members(&self) -> bool {
        let all = |keys: &Keys| keys.has(MEMBER, ANY) || (keys.has(ANY, ANY) && !self.lazy);
        all(&self.keys) || self.refined.iter().any(|refined| all(&refined.include) && !refined.exclude.take(MEMBER, ANY, false))
    }
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;

    fn required(elements: &[(&str, &str)]) -> RequiredState {
        let elements = elements.iter().map(|(kind, key)| ((*kind).to_owned(), (*key).to_owned())).collect();
        RequiredState::of_pairs(elements, user_id!("@me:x"))
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

    fn keys(elements: &[(&str, &str)]) -> Keys {
        Keys::new(elements.iter().map(|(kind, key)| ((*kind).to_owned(), (*key).to_owned())))
    }

    #[test]
    fn what_is_excluded_is_not_taken_unless_something_else_takes_it() {
        let but_create = || RequiredState::of_stable(keys(&[("*", "*")]), keys(&[("m.room.create", "")]), false);
        let mut wanted = but_create();
        assert!(wanted.takes("m.room.name", "") && wanted.takes(MEMBER, "@you:x") && !wanted.takes("m.room.create", ""));
        let lazy = RequiredState::of_stable(keys(&[("*", "*")]), keys(&[(MEMBER, "@me:x")]), true);
        assert!(lazy.is_lazy() && lazy.takes("m.room.name", "") && !lazy.takes(MEMBER, "@you:x"));
        assert!(but_create().is_within(&wanted) && but_create().is_within(&required(&[("*", "*")])));
        assert!(!required(&[("*", "*")]).is_within(&wanted) && !but_create().is_within(&lazy));
        wanted.add(&required(&[("m.room.create", "")]));
        assert!(wanted.takes("m.room.create", "") && wanted.exact() == BTreeSet::from([("m.room.create", "")]));
        // Both return members: all of them.
        wanted.add(&lazy);
        assert!(!wanted.is_lazy() && wanted.takes(MEMBER, "@you:x"));
    }

    #[test]
    fn what_is_named_and_excluded_is_not_read() {
        let wanted = [("m.room.name", ""), ("m.room.topic", ""), ("m.space.child", "*")];
        let required = RequiredState::of_stable(keys(&wanted), keys(&[("*", "")]), false);
        assert!(required.exact().is_empty() && required.takes("m.space.child", "!a:x"));
        assert_eq!(required.whole_types(), BTreeSet::from(["m.space.child"]));
    }
}
