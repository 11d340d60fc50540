//! Randomness, injected: secrets come from the system, simulations from a seed.

use std::fmt;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

/// A source of unpredictable bytes.
pub trait Entropy: fmt::Debug + Send + Sync + 'static {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);

    /// A random number.
    fn next_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// `length` characters of `[a-z0-9]`, about 5.1 bits each: for names and ids that people may have to read out.
    fn lowercase(&self, length: usize) -> String {
        self.text(length, b"abcdefghijklmnopqrstuvwxyz0123456789")
    }

    /// `length` characters of `[A-Za-z0-9]`, about 5.9 bits each: for tokens.
    fn alphanumeric(&self, length: usize) -> String {
        self.text(length, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
    }

    /// `length` characters drawn evenly from `alphabet` (at most 256 ASCII characters).
    fn text(&self, length: usize, alphabet: &[u8]) -> String {
        // Rejecting what lies above the last whole multiple keeps every character equally likely.
        let limit = 256 - 256 % alphabet.len();
        let mut text = String::with_capacity(length);
        let mut bytes = [0; 64];
        while text.len() < length {
            self.fill(&mut bytes);
            let accepted = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < limit);
            text.extend(accepted.take(length - text.len()).map(|byte| char::from(alphabet[byte % alphabet.len()])));
        }
        text
    }
}

/// The operating system's randomness, stretched by a per-thread generator that reseeds itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is where randomness enters")]
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}

/// Randomness that repeats: the same seed gives the same bytes.
#[derive(Debug)]
pub struct SeededEntropy(std::sync::Mutex<ChaCha20Rng>);

impl SeededEntropy {
    /// The sequence of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(std::sync::Mutex::new(ChaCha20Rng::seed_from_u64(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_the_asked_length_and_alphabet() {
        let text = SeededEntropy::new(1).alphanumeric(150);
        assert_eq!(text.len(), 150);
        assert!(text.chars().all(|c| c.is_ascii_alphanumeric()));
        assert_ne!(text, SeededEntropy::new(2).alphanumeric(150));
        assert_eq!(text, SeededEntropy::new(1).alphanumeric(150));
    }
}
