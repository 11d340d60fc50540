//! Finds who must answer a call, and tries again where another than expected does.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use banyan_core::{Clock, Entropy, ErrorCode, LogId, ServiceError};
use banyan_log::Logs;
use banyan_proto::{status::from_status, transport::Transport};
use tonic::{Code, Response, Status};

use crate::{Discovery, Membership, Peers, Role, owners::Owners};

/// How long a call is tried before it fails.
pub const CALL_DEADLINE: Duration = Duration::from_secs(10);

/// The pauses between tries; the last one repeats. Each is shortened at random by up to a half.
const BACKOFF: [Duration; 5] = [
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
];

/// After how long without an answer a call asks whether its log has another owner by now.
const OWNER_CHECK: Duration = Duration::from_millis(750);

/// Calls the owners of logs and the replicas of roles.
pub struct ShardRouter {
    logs: Logs,
    discovery: Arc<Discovery>,
    peers: Arc<Peers>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl ShardRouter {
    /// A router that knows nothing yet.
    #[must_use]
    pub fn new(logs: Logs, discovery: Arc<Discovery>, peers: Arc<Peers>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { logs, discovery, peers, clock, entropy }
    }

    /// Calls the owner of a log; finds it, and tries again when it moves or does not answer, for at most [`CALL_DEADLINE`].
    ///
    /// `call` may run more than once: commands carry a request id, so that a repetition answers what happened. A call without an answer
    /// is dropped and repeated when its log gets another owner.
    ///
    /// # Errors
    /// What the owner answered; `Unavailable` if there was none in time.
    pub async fn call<T, F, Fut>(&self, log: LogId, call: F) -> Result<T, ServiceError>
    where
        F: Fn(Transport) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        self.call_within(CALL_DEADLINE, log, call).await
    }

    /// [`ShardRouter::call`] with another deadline.
    ///
    /// # Errors
    /// As for [`ShardRouter::call`].
    pub async fn call_within<T, F, Fut>(&self, deadline: Duration, log: LogId, call: F) -> Result<T, ServiceError>
    where
        F: Fn(Transport) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        let give_up = self.clock.monotonic() + deadline;
        let mut tries = 0;
        loop {
            let heard = self.owners().announced(log);
            let error = match self.try_owner(log, &call, give_up).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure.may_retry()?,
            };
            let pause = self.pause(tries);
            tries += 1;
            if self.clock.monotonic() + pause >= give_up {
                return Err(exhausted(log, &error));
            }
            tracing::debug!(%log, tries, %error, "trying again");
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.owners().announced_after(log, heard) => {}
            }
        }
    }

    /// The replica of a role that a key belongs to, by rendezvous hashing over those that are alive. Correctness must not depend on it.
    ///
    /// # Errors
    /// `Unavailable` if none is alive.
    pub fn replica(&self, role: Role, key: &str) -> Result<Transport, ServiceError> {
        let membership = self.discovery.membership();
        let node = membership.choose(role, key).ok_or_else(|| nobody(role))?;
        self.peers.get(&node.addr)
    }

    /// Calls the replica of a role that a key belongs to, and the next one in order where one does not answer.
    ///
    /// # Errors
    /// What the replica answered; `Unavailable` if none is alive.
    pub async fn call_replica<T, F, Fut>(&self, role: Role, key: &str, call: F) -> Result<T, ServiceError>
    where
        F: Fn(Transport) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        let membership = self.discovery.membership();
        let mut last = nobody(role);
        for node in membership.ranked(role, key) {
            let failure = match call(self.peers.get(&node.addr)?).await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) => Failure::of(&status),
            };
            if failure.is_lost() {
                self.discovery.suspect(&node.addr);
            }
            last = failure.may_retry()?;
        }
        Err(last)
    }

    /// Any replica of a role: this process if it is one.
    ///
    /// # Errors
    /// `Unavailable` if none is alive.
    pub fn any(&self, role: Role) -> Result<Transport, ServiceError> {
        let membership = self.discovery.membership();
        let nodes: Vec<_> = membership.candidates(role).collect();
        if let Some(me) = nodes.iter().find(|node| node.addr == self.peers.addr()) {
            return self.peers.get(&me.addr);
        }
        let count = u64::try_from(nodes.len()).unwrap_or(u64::MAX).max(1);
        let pick = usize::try_from(self.entropy.next_u64() % count).unwrap_or_default();
        self.peers.get(&nodes.get(pick).ok_or_else(|| nobody(role))?.addr)
    }

    fn owners(&self) -> &Owners {
        self.discovery.owners()
    }

    /// Remembers who owns a log, for example because this process opened it.
    pub fn set_owner(&self, log: LogId, addr: &str) {
        self.owners().set(log, addr);
    }

    /// Forgets who owns a log: the next call asks the store.
    pub fn forget_owner(&self, log: LogId) {
        self.owners().forget(log);
    }

    /// One try: returns the answer, or why there is none.
    async fn try_owner<T, F, Fut>(&self, log: LogId, call: &F, give_up: Duration) -> Result<T, Failure>
    where
        F: Fn(Transport) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        let addr = self.find_owner(log).await.map_err(Failure::Retry)?;
        let transport = self.peers.get(&addr).map_err(Failure::Retry)?;
        let answer = tokio::select! {
            biased;
            answer = call(transport) => answer,
            failure = self.overtaken(log, &addr, give_up) => return Err(failure),
        };
        let failure = match answer {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) => Failure::of(&status),
        };
        self.learn(log, &addr, &failure);
        Err(failure)
    }

    /// Takes from a failure what it says about the owner.
    fn learn(&self, log: LogId, addr: &str, failure: &Failure) {
        match failure {
            Failure::Final(_) => {}
            Failure::Lost(_) => {
                self.owners().forget_at(log, addr);
                self.discovery.suspect(addr);
            }
            Failure::Retry(error) => match &error.owner {
                Some(owner) if owner != addr => self.set_owner(log, owner),
                _ if error.code == ErrorCode::NotOwner => self.owners().forget_at(log, addr),
                _ => {}
            },
        }
    }

    /// Resolves when the log has another owner than `addr`, or when time is up: waiting for an answer makes no sense then.
    async fn overtaken(&self, log: LogId, addr: &str, give_up: Duration) -> Failure {
        loop {
            let heard = self.owners().announced(log);
            let left = give_up.saturating_sub(self.clock.monotonic());
            tokio::select! {
                () = tokio::time::sleep(left.min(OWNER_CHECK)) => {}
                () = self.owners().announced_after(log, heard) => match self.owners().get(log) {
                    Some(owner) if owner != addr => return moved(),
                    _ => continue,
                },
            }
            if left <= OWNER_CHECK {
                return Failure::Lost(ServiceError::new(ErrorCode::Unknown, "the owner has not answered in time"));
            }
            if let Ok(Some(row)) = self.logs.owner(log).await
                && !row.addr.is_empty()
                && row.addr != addr
            {
                self.set_owner(log, &row.addr);
                return moved();
            }
        }
    }

    async fn find_owner(&self, log: LogId) -> Result<String, ServiceError> {
        if let Some(addr) = self.owners().get(log) {
            return Ok(addr);
        }
        let recorded = self.logs.owner(log).await.map_err(|error| ServiceError::unavailable(error.to_string()))?;
        if let Some(row) = recorded.filter(|row| !row.addr.is_empty()) {
            self.set_owner(log, &row.addr);
            return Ok(row.addr);
        }
        // Nobody has claimed it yet; whoever should will be the first to have it.
        let membership: Arc<Membership> = self.discovery.membership();
        let role = Role::owner_of(log.kind);
        membership.choose(role, &log.to_string()).map(|node| node.addr.clone()).ok_or_else(|| nobody(role))
    }

    fn pause(&self, tries: usize) -> Duration {
        let longest = BACKOFF[tries.min(BACKOFF.len() - 1)];
        let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(micros - self.entropy.next_u64() % (micros / 2))
    }
}

/// Why a try brought no answer.
#[derive(Debug)]
enum Failure {
    /// That is the answer.
    Final(ServiceError),
    /// A service says that another try may help.
    Retry(ServiceError),
    /// No service answered: the connection or the process is gone.
    Lost(ServiceError),
}

impl Failure {
    fn of(status: &Status) -> Self {
        let error = from_status(status);
        // Only services of ours put details into a status; without them it is the connection's.
        if status.details().is_empty() {
            return match status.code() {
                Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled | Code::DeadlineExceeded | Code::Aborted => {
                    Self::Lost(ServiceError::new(ErrorCode::Unknown, error.message))
                }
                // Its services are not there yet, or not any more.
                Code::Unimplemented => Self::Retry(ServiceError::unavailable(error.message)),
                _ => Self::Final(error),
            };
        }
        match error.code {
            ErrorCode::NotOwner | ErrorCode::Unavailable | ErrorCode::Unknown => Self::Retry(error),
            _ => Self::Final(error),
        }
    }

    const fn is_lost(&self) -> bool {
        matches!(self, Self::Lost(_))
    }

    /// The error if another try may help, `Err` if it is final.
    fn may_retry(self) -> Result<ServiceError, ServiceError> {
        match self {
            Self::Final(error) => Err(error),
            Self::Retry(error) | Self::Lost(error) => Ok(error),
        }
    }
}

fn moved() -> Failure {
    Failure::Retry(ServiceError::new(ErrorCode::Unknown, "the shard moved while it was called"))
}

fn nobody(role: Role) -> ServiceError {
    ServiceError::unavailable(format!("no live replica of {role}"))
}

fn exhausted(log: LogId, last: &ServiceError) -> ServiceError {
    ServiceError::unavailable(format!("shard {log} does not answer just now: {}", last.message))
}

impl fmt::Debug for ShardRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShardRouter").field("known", &self.owners().len()).finish_non_exhaustive()
    }
}
