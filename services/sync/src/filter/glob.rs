//! Names with `*` for any sequence of characters.

/// Patterns, any of which may match.
#[derive(Debug, Default)]
pub(super) struct Globs(Vec<String>);

impl Globs {
    pub(super) const fn new(patterns: Vec<String>) -> Self {
        Self(patterns)
    }

    pub(super) fn any(&self, text: &str) -> bool {
        self.0.iter().any(|pattern| matches(pattern, text))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Takes each piece between two stars at its first chance: enough, for a later chance leaves less to the pieces after it.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let mut pieces = rest.split('*').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return text.ends_with(piece);
        }
        let Some(at) = text.find(piece) else { return false };
        text = &text[at + piece.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_match_any_sequence() {
        for (pattern, text) in [("*", ""), ("*", "a"), ("a*", "a"), ("a*b", "axxb"), ("*b*", "abc"), ("a**b", "ab"), ("a*a", "aa")]
        {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "ab"), ("a*a", "a"), ("a*b", "abc"), ("*x", "y"), ("a*b*c", "acb")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
