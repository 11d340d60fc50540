//! Text as it is compared when people search: without case and accents.

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// The text without case, accents and other marks, and with compatible characters made one: what looks alike becomes the same.
#[must_use]
pub fn fold(text: &str) -> String {
    let cased = text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    let mut folded = String::with_capacity(text.len());
    for c in cased.nfkd().filter(|c| !is_combining_mark(*c)) {
        match c {
            // Letters with a stroke, and joined ones, do not come apart by themselves.
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' => folded.push('d'),
            'ħ' => folded.push('h'),
            'ŧ' => folded.push('t'),
            'ı' => folded.push('i'),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            c => folded.push(c),
        }
    }
    folded
}

/// The words of a text, folded: runs of letters and digits.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    fold(text).split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_accents_make_no_difference() {
        for (one, other) in [
            ("José", "jose"),
            ("JOSÉ", "jose\u{301}"),
            ("Straße", "STRASSE"),
            ("Ὀδυσσεύς", "οδυσσευσ"),
            ("Łukasz Sørensen", "lukasz sorensen"),
            ("ﬁnal", "FINAL"),
            ("Ａｌｉｃｅ", "alice"),
            ("İstanbul", "istanbul"),
        ] {
            assert_eq!(fold(one), fold(other), "{one}");
        }
        assert_ne!(fold("山田"), fold("山"));
    }

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        assert_eq!(words("@Ann-Marie.O'Neil_42:Example.org"), ["ann", "marie", "o", "neil", "42", "example", "org"]);
        assert_eq!(words("山田 太郎"), ["山田", "太郎"]);
        assert!(words(" \u{1f600} -- ").is_empty());
    }
}
