//! Passwords: argon2id on blocking threads, so many at once and no more.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version, password_hash};
use banyan_core::{Entropy, ServiceError};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use opentelemetry::{global, metrics::UpDownCounter};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, SemaphorePermit};
use zeroize::Zeroizing;

/// The longest password, in bytes.
pub const MAX_PASSWORD: usize = 1024;

/// How passwords are hashed (argon2id). A stored hash names its own parameters, so changing these only concerns new ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PasswordConfig {
    /// Memory per hash, in KiB; 8 to 1048576.
    pub memory_kib: u32,
    /// Passes over the memory; 1 to 100.
    pub iterations: u32,
    /// How many hashes one process computes at once; each uses a core and the memory above.
    pub concurrent: usize,
    /// How many may wait for that; beyond it logins and registrations are told to come back.
    pub waiting: usize,
}

impl Default for PasswordConfig {
    /// 19 MiB and 2 passes: what OWASP's password storage cheat sheet asks for at least.
    fn default() -> Self {
        Self { memory_kib: Params::DEFAULT_M_COST, iterations: Params::DEFAULT_T_COST, concurrent: 2, waiting: 64 }
    }
}

impl PasswordConfig {
    /// As cheap as argon2id can be: for tests and load generators, never for people.
    #[must_use]
    pub fn cheap() -> Self {
        Self { memory_kib: Params::MIN_M_COST, iterations: 1, concurrent: 8, waiting: 4096 }
    }

    /// What is wrong with the options, if anything is.
    ///
    /// # Errors
    /// Names the option and what it may be.
    pub fn check(&self) -> Result<(), String> {
        if !(8..=1_048_576).contains(&self.memory_kib) {
            return Err("memory_kib must be 8 to 1048576".to_owned());
        }
        if !(1..=100).contains(&self.iterations) {
            return Err("iterations must be 1 to 100".to_owned());
        }
        if self.concurrent == 0 {
            return Err("concurrent must be at least 1".to_owned());
        }
        Ok(())
    }
}

/// Hashes and verifies passwords. Cheap to clone.
#[derive(Clone)]
pub struct Passwords(Arc<Inner>);

struct Inner {
    argon2: Argon2<'static>,
    /// A hash of no password, with today's parameters: verifying against it takes the time of a real one.
    nobody: String,
    entropy: Arc<dyn Entropy>,
    running: Semaphore,
    waiting: AtomicUsize,
    max_waiting: usize,
    gauge: UpDownCounter<i64>,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passwords")
    }
}

impl Passwords {
    /// Hashing as configured.
    ///
    /// # Errors
    /// Names the option that is wrong.
    pub fn new(config: &PasswordConfig, entropy: Arc<dyn Entropy>) -> Result<Self, String> {
        config.check()?;
        let params = Params::new(config.memory_kib, config.iterations, 1, None).map_err(|e| e.to_string())?;
        let mut random = [0; 48];
        entropy.fill(&mut random);
        let (salt, output) = random.split_at(16);
        let (salt, output) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(output));
        let nobody = format!("$argon2id$v=19$m={},t={},p=1${salt}${output}", config.memory_kib, config.iterations);
        let gauge = global::meter("banyan")
            .i64_up_down_counter("banyan.password.waiting")
            .with_description("Passwords that wait to be hashed or checked")
            .build();
        Ok(Self(Arc::new(Inner {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            nobody,
            entropy,
            running: Semaphore::new(config.concurrent),
            waiting: AtomicUsize::new(0),
            max_waiting: config.waiting,
            gauge,
        })))
    }

    /// Hashes a password; answers a PHC string.
    ///
    /// # Errors
    /// `M_LIMIT_EXCEEDED` if too many wait; `M_INVALID_PARAM` for a password over [`MAX_PASSWORD`] bytes.
    pub async fn hash(&self, password: Zeroizing<String>) -> Result<String, ServiceError> {
        if password.len() > MAX_PASSWORD {
            return Err(ServiceError::invalid_param("The password is too long"));
        }
        let mut salt = [0; 16];
        self.0.entropy.fill(&mut salt);
        self.run(move |argon2, _| argon2.hash_password_with_salt(password.as_bytes(), &salt).map(|hash| hash.to_string()))
            .await?
            .map_err(|e| ServiceError::internal(format!("hashing a password: {e}")))
    }

    /// Whether a password is the one behind `hash` (a PHC string). Without a hash the answer is no, and takes as long as with one.
    ///
    /// # Errors
    /// `M_LIMIT_EXCEEDED` if too many wait; `Internal` if the hash cannot be read.
    pub async fn verify(&self, password: Zeroizing<String>, hash: Option<String>) -> Result<bool, ServiceError> {
        let known = hash.is_some();
        let outcome = self
            .run(move |argon2, nobody| {
                let hash = hash.as_deref().unwrap_or(nobody);
                // Nobody has a longer one; hashing it would only cost time.
                let password = password.as_bytes().get(..MAX_PASSWORD + 1).unwrap_or(password.as_bytes());
                PasswordVerifier::<str>::verify_password(argon2, password, hash)
            })
            .await?;
        match outcome {
            Ok(()) => Ok(known),
            Err(password_hash::Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(ServiceError::internal(format!("verifying a password: {error}"))),
        }
    }

    /// Runs `work` on a blocking thread when it is its turn. The turn lasts until the work ends, also if the caller goes away.
    async fn run<T: Send + 'static>(&self, work: impl FnOnce(&Argon2<'_>, &str) -> T + Send + 'static) -> Result<T, ServiceError> {
        let inner = self.0.clone();
        let turn = inner.turn().await?;
        turn.forget();
        let done = GiveBack(inner);
        tokio::task::spawn_blocking(move || work(&done.0.argon2, &done.0.nobody))
            .await
            .map_err(|e| ServiceError::internal(format!("a password thread ended: {e}")))
    }
}

impl Inner {
    async fn turn(&self) -> Result<SemaphorePermit<'_>, ServiceError> {
        if let Ok(permit) = self.running.try_acquire() {
            return Ok(permit);
        }
        let _waiting = Waiting::enter(self)
            .ok_or_else(|| ServiceError::limit_exceeded("Too many people log in or register just now", Duration::from_secs(2)))?;
        self.running.acquire().await.map_err(|_| ServiceError::unavailable("shutting down"))
    }
}

/// Gives a turn back when the work is over.
struct GiveBack(Arc<Inner>);

impl Drop for GiveBack {
    fn drop(&mut self) {
        self.0.running.add_permits(1);
    }
}

/// A place in the queue.
struct Waiting<'a>(&'a Inner);

impl<'a> Waiting<'a> {
    fn enter(inner: &'a Inner) -> Option<Self> {
        let place = inner.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| (n < inner.max_waiting).then_some(n + 1));
        place.ok()?;
        inner.gauge.add(1, &[]);
        Some(Self(inner))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
        self.0.gauge.add(-1, &[]);
    }
}

#[cfg(test)]
mod tests {
    use banyan_core::SeededEntropy;

    use super::*;

    fn passwords(config: &PasswordConfig) -> Passwords {
        Passwords::new(config, Arc::new(SeededEntropy::new(1))).expect("a valid configuration")
    }

    fn secret(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    #[tokio::test]
    async fn only_the_right_password_is_right() {
        let passwords = passwords(&PasswordConfig::cheap());
        let hash = passwords.hash(secret("wonderland")).await.expect("a hash");
        assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");
        assert_ne!(hash, passwords.hash(secret("wonderland")).await.expect("a hash"));
        assert_eq!(passwords.verify(secret("wonderland"), Some(hash.clone())).await, Ok(true));
        assert_eq!(passwords.verify(secret("Wonderland"), Some(hash.clone())).await, Ok(false));
        assert_eq!(passwords.verify(secret(""), Some(hash)).await, Ok(false));
        assert_eq!(passwords.verify(secret("wonderland"), None).await, Ok(false));
    }

    #[tokio::test]
    async fn a_hash_keeps_its_own_parameters() {
        let old = passwords(&PasswordConfig { iterations: 2, ..PasswordConfig::cheap() });
        let hash = old.hash(secret("x")).await.expect("a hash");
        assert_eq!(passwords(&PasswordConfig::cheap()).verify(secret("x"), Some(hash)).await, Ok(true));
    }

    #[tokio::test]
    async fn nobody_s_hash_is_read_like_a_real_one() {
        let passwords = passwords(&PasswordConfig::default());
        let hash = password_hash::phc::PasswordHash::new(&passwords.0.nobody).expect("a PHC string");
        let real = passwords.hash(secret("x")).await.expect("a hash");
        let real = password_hash::phc::PasswordHash::new(&real).expect("a PHC string");
        assert_eq!((&hash.algorithm, hash.version, &hash.params), (&real.algorithm, real.version, &real.params));
        assert_eq!(hash.hash.map(|h| h.len()), real.hash.map(|h| h.len()));
    }

    #[tokio::test]
    async fn beyond_the_queue_people_are_told_to_come_back() {
        let passwords = passwords(&PasswordConfig { concurrent: 1, waiting: 1, ..PasswordConfig::cheap() });
        let busy = passwords.0.running.acquire().await.expect("a permit");
        let waiting = tokio::spawn({
            let passwords = passwords.clone();
            async move { passwords.hash(secret("a")).await }
        });
        while passwords.0.waiting.load(Ordering::Acquire) == 0 {
            tokio::task::yield_now().await;
        }
        let error = passwords.hash(secret("b")).await.expect_err("the queue is full");
        assert_eq!(error.errcode.as_deref(), Some("M_LIMIT_EXCEEDED"));
        assert!(error.retry_after.is_some());
        drop(busy);
        assert!(waiting.await.expect("joined").is_ok());
        assert!(passwords.hash(secret("c")).await.is_ok());
        assert_eq!(passwords.0.running.available_permits(), 1);
    }

    #[tokio::test]
    async fn endless_passwords_are_refused() {
        let passwords = passwords(&PasswordConfig::cheap());
        let error = passwords.hash(secret(&"a".repeat(MAX_PASSWORD + 1))).await.expect_err("too long");
        assert_eq!(error.errcode.as_deref(), Some("M_INVALID_PARAM"));
    }
}
