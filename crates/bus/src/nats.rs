//! NATS core: publish and subscribe, nothing else.

use std::{fs, io, path::Path, time::Duration};

use async_nats::{Client, ConnectOptions, Event, connection::State};
use async_trait::async_trait;
use futures::StreamExt;
use tokio::time::timeout;

use crate::{Bus, BusError, Message, NatsConfig, SUBSCRIPTION_CAPACITY, Subscription, subject};

/// How long a publish or subscribe may wait for the client's queue before the bus counts as unavailable.
const QUEUE_WAIT: Duration = Duration::from_millis(250);
/// How long a subscribe waits for the server to have seen it.
const CONFIRM_WAIT: Duration = Duration::from_secs(1);
/// How often the server is pinged; the connection counts as lost when two answers are missing.
const PING_INTERVAL: Duration = Duration::from_secs(2);
/// The longest pause between two attempts to reconnect.
const MAX_RECONNECT_DELAY: Duration = Duration::from_secs(1);

/// A connection to a NATS cluster that is kept up for ever. Clones share it.
#[derive(Clone, Debug)]
pub struct NatsBus {
    client: Client,
}

impl NatsBus {
    /// Opens the bus. Returns although no server answers; then connects as soon as one does.
    ///
    /// # Errors
    /// [`BusError::Setup`] when the configuration contradicts itself or a secret's file cannot be read.
    pub async fn open(config: &NatsConfig) -> Result<Self, BusError> {
        let options = with_credentials(base_options(), config)?;
        let client = with_tls(options, config)
            .connect(&config.servers)
            .await
            .map_err(|error| BusError::Setup(format!("bus.nats: cannot connect to {:?}: {error}", config.servers)))?;
        Ok(Self { client })
    }

    fn require_connection(&self) -> Result<(), BusError> {
        if self.is_connected() { Ok(()) } else { Err(BusError::Unavailable("no connection to NATS".to_owned())) }
    }

    /// Waits until the server has processed what was sent before: it answers a message to ourselves only afterwards.
    async fn round_trip(&self) -> Result<(), BusError> {
        let inbox = self.client.new_inbox();
        let mut answers = self.client.subscribe(inbox.clone()).await.map_err(unavailable)?;
        self.client.publish(inbox, bytes::Bytes::new()).await.map_err(unavailable)?;
        answers.next().await;
        Ok(())
    }
}

#[async_trait]
impl Bus for NatsBus {
    async fn publish(&self, message: Message) -> Result<(), BusError> {
        subject::check_message(&message)?;
        // The client would queue what it cannot send: a hint that arrives late is worse than none.
        self.require_connection()?;
        let Message { subject, headers, payload } = message;
        let publish = async {
            if headers.is_empty() {
                return self.client.publish(subject, payload).await;
            }
            let mut map = async_nats::HeaderMap::new();
            for (name, value) in headers {
                map.append(name, value);
            }
            self.client.publish_with_headers(subject, map, payload).await
        };
        match timeout(QUEUE_WAIT, publish).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(unavailable(error)),
            Err(_) => Err(BusError::Unavailable("the queue to NATS is full".to_owned())),
        }
    }

    async fn subscribe(&self, subject: &str) -> Result<Subscription, BusError> {
        subject::check_pattern(subject)?;
        let subscriber = timeout(QUEUE_WAIT, self.client.subscribe(subject.to_owned()))
            .await
            .map_err(|_| BusError::Unavailable("the queue to NATS is full".to_owned()))?
            .map_err(unavailable)?;
        // Without a connection the subscription is made when there is one again, and nothing can be missed before.
        if self.is_connected() {
            match timeout(CONFIRM_WAIT, self.round_trip()).await {
                Ok(confirmed) => confirmed?,
                Err(_) => tracing::warn!(subject, "NATS has not confirmed a subscription in time; going on without"),
            }
        }
        Ok(subscriber.map(from_nats).boxed())
    }

    fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }
}

fn unavailable(error: impl std::error::Error) -> BusError {
    BusError::Unavailable(error.to_string())
}

fn from_nats(message: async_nats::Message) -> Message {
    let headers = message.headers.iter().flat_map(|headers| headers.iter());
    let headers = headers.flat_map(|(name, values)| values.iter().map(move |value| (name.to_string(), value.to_string())));
    Message { subject: message.subject.to_string(), headers: headers.collect(), payload: message.payload }
}

fn base_options() -> ConnectOptions {
    ConnectOptions::new()
        .name("banyan")
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(reconnect_delay)
        .connection_timeout(Duration::from_secs(2))
        .ping_interval(PING_INTERVAL)
        .subscription_capacity(SUBSCRIPTION_CAPACITY)
        .event_callback(log_event)
}

fn reconnect_delay(attempts: usize) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1).min(8)).unwrap_or(8);
    (Duration::from_millis(20) * 2_u32.pow(doublings)).min(MAX_RECONNECT_DELAY)
}

async fn log_event(event: Event) {
    match event {
        Event::Connected => tracing::info!("connected to NATS"),
        Event::Disconnected => tracing::warn!("lost the connection to NATS; reconnecting, hints are late until then"),
        Event::SlowConsumer(_) => {
            let meter = opentelemetry::global::meter("banyan");
            meter.u64_counter("banyan_bus_dropped").build().add(1, &[]);
            tracing::debug!("a subscriber lagged and missed messages");
        }
        other => tracing::warn!(event = %other, "NATS"),
    }
}

fn with_credentials(options: ConnectOptions, config: &NatsConfig) -> Result<ConnectOptions, BusError> {
    if config.servers.is_empty() {
        return Err(BusError::Setup("bus.nats.servers is empty: name at least one server".to_owned()));
    }
    match (&config.user, &config.password_file, &config.token_file, &config.credentials_file) {
        (None, None, None, None) => Ok(options),
        (Some(user), Some(file), None, None) => Ok(options.user_and_password(user.clone(), secret("password_file", file)?)),
        (None, None, Some(file), None) => Ok(options.token(secret("token_file", file)?)),
        (None, None, None, Some(file)) => {
            let text = secret("credentials_file", file)?;
            options.credentials(&text).map_err(|error| unreadable("credentials_file", file, &error))
        }
        _ => Err(BusError::Setup(
            "bus.nats: give either user and password_file, or token_file, or credentials_file, and nothing else".to_owned(),
        )),
    }
}

fn with_tls(options: ConnectOptions, config: &NatsConfig) -> ConnectOptions {
    let options = options.require_tls(config.require_tls);
    match &config.ca_file {
        Some(file) => options.add_root_certificates(file.clone()),
        None => options,
    }
}

fn secret(option: &str, file: &Path) -> Result<String, BusError> {
    let text = fs::read_to_string(file).map_err(|error| unreadable(option, file, &error))?;
    Ok(text.trim_end().to_owned())
}

fn unreadable(option: &str, file: &Path, error: &io::Error) -> BusError {
    BusError::Setup(format!("bus.nats.{option}: cannot read {}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_missing_secret_names_its_option_and_file() {
        let config = NatsConfig { token_file: Some("/nowhere/token".into()), ..NatsConfig::default() };
        let error = NatsBus::open(&config).await.unwrap_err().to_string();
        assert!(error.contains("bus.nats.token_file") && error.contains("/nowhere/token"), "{error}");
    }

    #[tokio::test]
    async fn two_ways_to_log_in_are_refused() {
        let config = NatsConfig { user: Some("a".to_owned()), token_file: Some("/nowhere".into()), ..NatsConfig::default() };
        assert!(matches!(NatsBus::open(&config).await, Err(BusError::Setup(_))));
    }

    #[test]
    fn reconnects_stay_frequent() {
        assert_eq!(reconnect_delay(1), Duration::from_millis(20));
        assert_eq!(reconnect_delay(1000), MAX_RECONNECT_DELAY);
    }
}
