//! What is wrong with a configuration, and where.

use std::fmt;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The option, dot-separated, for example `node.listen`; empty if the mistake concerns no single one.
    pub key: String,
    /// Where it stands: `banyan.toml line 3` or `BANYAN_NODE__LISTEN`; empty if nowhere (a default, or something missing).
    pub place: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.place.as_str(), self.key.as_str()) {
            ("", "") => f.write_str(&self.message),
            ("", key) => write!(f, "{key}: {}", self.message),
            (place, "") => write!(f, "{place}: {}", self.message),
            (place, key) => write!(f, "{place}: {key}: {}", self.message),
        }
    }
}

/// Every mistake that was found, one per line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigErrors {
    mistakes: Vec<Mistake>,
}

impl ConfigErrors {
    /// Adds a mistake whose place is not known.
    pub fn add(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.push(Mistake { key: key.into(), place: String::new(), message: message.into() });
    }

    /// Adds a mistake.
    pub fn push(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
    }

    /// The mistakes in the order in which they were found.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.mistakes.is_empty()
    }

    /// `value` if there are no mistakes.
    ///
    /// # Errors
    /// The mistakes, if there are any.
    pub fn or_ok<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, mistake) in self.mistakes.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            mistake.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
