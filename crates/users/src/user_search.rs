//! How users are found by what people type: the words that they are filed under, and whether a term means them (client-server API, "User
//! directory").

use std::collections::BTreeSet;

use banyan_core::fold;

use crate::user_id;

/// Buckets of a letter.
pub const BUCKETS: u8 = 8;
/// Words of a name that are filed, and bytes of each.
const MAX_WORDS: usize = 8;
const MAX_WORD: usize = 64;
/// The longest term, in bytes.
const MAX_TERM: usize = 512;

/// The words that a display name is filed under.
pub(crate) fn name_words(name: &str) -> BTreeSet<String> {
    fold::words(name).into_iter().take(MAX_WORDS).map(cut).collect()
}

/// The words that a localpart is filed under.
pub(crate) fn localpart_words(user_id: &str) -> BTreeSet<String> {
    user_id::localpart(user_id).map(name_words).unwrap_or_default()
}

fn cut(mut word: String) -> String {
    word.truncate(word.floor_char_boundary(MAX_WORD));
    word
}

/// What somebody typed.
#[derive(Clone, Debug)]
pub struct SearchTerm {
    typed: String,
    folded: String,
    words: Vec<String>,
}

/// How well a term means a user; the better the smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Match {
    /// It is their name or their id.
    Whole,
    /// It begins words of it, or is a part of the name.
    Part,
}

impl SearchTerm {
    /// Reads what was typed; `None` where there is nothing to search for in it, and for what is far longer than any name.
    #[must_use]
    pub fn read(typed: &str) -> Option<Self> {
        let typed = typed.trim();
        if typed.len() > MAX_TERM {
            return None;
        }
        let words: Vec<String> = fold::words(typed).into_iter().map(cut).collect();
        (!words.is_empty()).then(|| Self { typed: typed.to_owned(), folded: fold::fold(typed), words })
    }

    /// What was typed, without the spaces around it.
    #[must_use]
    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// The word that says most: users whom the term means by their words are filed under one that begins with it, unless it is of their
    /// server's name.
    #[must_use]
    pub fn key_word(&self) -> String {
        // What a user id is filed under is its localpart.
        let own = self.folded.split_once(':').map(|(before, _)| fold::words(before)).filter(|words| !words.is_empty());
        let words = own.unwrap_or_else(|| self.words.clone());
        words.into_iter().map(cut).max_by_key(String::len).unwrap_or_default()
    }

    /// How well it means a user; `None`: not at all.
    #[must_use]
    pub fn matches(&self, user_id: &str, name: Option<&str>) -> Option<Match> {
        let id = fold::fold(user_id);
        let name = name.map(fold::fold).unwrap_or_default();
        let localpart = id.strip_prefix('@').and_then(|rest| rest.split_once(':')).map_or("", |(localpart, _)| localpart);
        let typed = self.folded.strip_prefix('@').unwrap_or(&self.folded);
        if self.folded == name || self.folded == id || typed == localpart {
            return Some(Match::Whole);
        }
        let words: Vec<String> = fold::words(&name).into_iter().chain(fold::words(&id)).collect();
        let begins = |typed: &String| words.iter().any(|word| word.starts_with(typed.as_str()));
        (self.words.iter().all(begins) || name.contains(&self.folded)).then_some(Match::Part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(typed: &str, user_id: &str, name: &str) -> Option<Match> {
        SearchTerm::read(typed).and_then(|term| term.matches(user_id, Some(name)))
    }

    #[test]
    fn a_term_means_whom_it_names_or_begins_to_name() {
        let (id, name) = ("@anna.lena:example.org", "Änna Størm");
        for whole in ["änna størm", "ANNA STORM", "@Anna.Lena:example.org", "anna.lena", "@anna.lena"] {
            assert_eq!(matches(whole, id, name), Some(Match::Whole), "{whole}");
        }
        for part in ["ann", "stor", "storm anna", "lena", "an le", "@anna", "anna.l", "@anna.lena:exam", "na st"] {
            assert_eq!(matches(part, id, name), Some(Match::Part), "{part}");
        }
        for other in ["bob", "anna bob", "orm anna", "@lena.anna:elsewhere"] {
            assert_eq!(matches(other, id, name), None, "{other}");
        }
        assert_eq!(matches("田", "@y:x", "山田太郎"), Some(Match::Part));
    }

    #[test]
    fn what_has_no_word_in_it_means_nobody() {
        for typed in ["", "  ", "@", "...", &"x".repeat(513)] {
            assert!(SearchTerm::read(typed).is_none(), "{typed}");
        }
    }

    #[test]
    fn whom_a_term_means_is_filed_under_a_word_that_its_key_word_begins() {
        let key_word = |typed: &str| SearchTerm::read(typed).unwrap().key_word();
        assert_eq!(key_word("@al:a-long-name.example.org"), "al");
        assert_eq!(key_word("al:a-long-name.example.org"), "al");
        assert_eq!(key_word("al storm"), "storm");
        let filed = &localpart_words("@anna.lena:example.org") | &name_words("Änna Størm");
        for typed in ["ann", "storm an", "@anna.lena:example.org", "ANNA.LENA"] {
            let key_word = key_word(typed);
            assert!(filed.iter().any(|word| word.starts_with(&key_word)), "{typed}");
        }
    }

    #[test]
    fn a_name_is_filed_under_a_few_words_of_bounded_length() {
        let words = name_words(&"wort ".repeat(3));
        assert_eq!(words.into_iter().collect::<Vec<_>>(), ["wort"]);
        let many: String = (0..20).map(|n| format!("w{n} ")).collect();
        assert_eq!(name_words(&many).len(), MAX_WORDS);
        assert_eq!(name_words(&"é".repeat(100)).iter().next().map(String::len), Some(MAX_WORD));
    }
}
