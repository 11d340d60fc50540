//! How a process ends, in order: stop accepting, finish requests, hand shards over, stop serving peers, end background work.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use crate::config::ShutdownConfig;

/// The exit code after a second signal: 128 + SIGINT, as shells have it.
const IMPATIENT_EXIT: i32 = 130;

/// The steps of a shutdown, in order. Every task belongs to one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Public HTTP listeners: stop accepting, answer long polls early, finish requests.
    Listeners,
    /// Shards are handed over.
    Shards,
    /// The gRPC server for peers, which are told the new owners until then.
    Internal,
    /// Followers, heartbeats, upkeep.
    Background,
    /// The admin listener: health and metrics are there to the end.
    Admin,
}

impl Stage {
    const ALL: [Self; 5] = [Self::Listeners, Self::Shards, Self::Internal, Self::Background, Self::Admin];
}

type Hook = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

/// The owner of every task of a process, and the one who ends them. Clones share it.
#[derive(Clone)]
pub struct Shutdown(Arc<Inner>);

struct Inner {
    config: ShutdownConfig,
    triggered: CancellationToken,
    stages: BTreeMap<Stage, StageState>,
    failed: AtomicBool,
}

#[derive(Default)]
struct StageState {
    /// Asks the tasks to end.
    stop: CancellationToken,
    /// Ends those that do not.
    abort: CancellationToken,
    tasks: TaskTracker,
    hooks: Mutex<Vec<(&'static str, Hook)>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new(ShutdownConfig::default())
    }
}

impl Shutdown {
    /// A shutdown that has not begun.
    #[must_use]
    pub fn new(config: ShutdownConfig) -> Self {
        let stages = Stage::ALL.into_iter().map(|stage| (stage, StageState::default())).collect();
        Self(Arc::new(Inner { config, triggered: CancellationToken::new(), stages, failed: AtomicBool::new(false) }))
    }

    /// Runs a task that ends by itself when the stage's [`Shutdown::stopping`] is cancelled; if it does not in time, it is dropped.
    pub fn spawn(&self, stage: Stage, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let state = self.stage(stage);
        let abort = state.abort.clone();
        let task = async move {
            tokio::select! {
                biased;
                () = abort.cancelled() => tracing::warn!(task = name, "cut off: it did not end in time"),
                () = task => {}
            }
        };
        state.tasks.spawn(task.instrument(tracing::debug_span!("task", name)));
    }

    /// Runs a task without which the process makes no sense: if it ends before the shutdown, the shutdown begins and the process
    /// exits with an error.
    pub fn spawn_vital(&self, stage: Stage, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let shutdown = self.clone();
        self.spawn(stage, name, async move {
            task.await;
            if !shutdown.stopping(stage).is_cancelled() {
                tracing::error!(task = name, "ended although it must not; shutting down");
                shutdown.0.failed.store(true, Ordering::SeqCst);
                shutdown.trigger();
            }
        });
    }

    /// Registers what is to be done in a stage, after its tasks were asked to end. Hooks of one stage run at the same time.
    pub fn on(&self, stage: Stage, name: &'static str, hook: impl FnOnce() -> BoxFuture<'static, ()> + Send + 'static) {
        self.stage(stage).hooks.lock().push((name, Box::new(hook)));
    }

    /// Cancelled when tasks of the stage are to end.
    #[must_use]
    pub fn stopping(&self, stage: Stage) -> CancellationToken {
        self.stage(stage).stop.clone()
    }

    /// Cancelled as soon as the process is about to end: it is not ready any more.
    #[must_use]
    pub fn triggered(&self) -> CancellationToken {
        self.0.triggered.clone()
    }

    /// Begins the shutdown.
    pub fn trigger(&self) {
        self.0.triggered.cancel();
    }

    /// Begins the shutdown at SIGTERM or SIGINT; a second signal ends the process at once.
    ///
    /// # Errors
    /// When the system refuses a signal handler.
    pub fn listen_for_signals(&self) -> std::io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let shutdown = self.clone();
        self.spawn(Stage::Admin, "signals", async move {
            let stopping = shutdown.stopping(Stage::Admin);
            loop {
                tokio::select! {
                    () = stopping.cancelled() => return,
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if shutdown.0.triggered.is_cancelled() {
                    tracing::warn!("second signal: ending at once");
                    std::process::exit(IMPATIENT_EXIT);
                }
                tracing::info!("shutting down; a second signal ends the process at once");
                shutdown.trigger();
            }
        });
        Ok(())
    }

    /// Waits until the shutdown begins, goes through its stages, and returns whether all was well.
    pub async fn run(&self) -> bool {
        self.0.triggered.cancelled().await;
        tokio::time::sleep(self.0.config.announce.into()).await;
        for stage in Stage::ALL {
            self.end(stage).await;
        }
        !self.0.failed.load(Ordering::SeqCst)
    }

    async fn end(&self, stage: Stage) {
        let state = self.stage(stage);
        let patience: Duration = self.0.config.drain_timeout.into();
        state.stop.cancel();
        state.tasks.close();
        let hooks = std::mem::take(&mut *state.hooks.lock());
        let run = futures::future::join_all(hooks.into_iter().map(|(name, hook)| async move {
            if timeout(patience, hook()).await.is_err() {
                tracing::warn!(hook = name, "cut off: it did not end in time");
            }
        }));
        run.await;
        if timeout(patience, state.tasks.wait()).await.is_err() {
            state.abort.cancel();
            state.tasks.wait().await;
        }
        tracing::debug!(?stage, "ended");
    }

    fn stage(&self, stage: Stage) -> &StageState {
        &self.0.stages[&stage]
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown").field("triggered", &self.0.triggered.is_cancelled()).finish()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::config::HumanDuration;

    #[tokio::test]
    async fn stages_end_in_order_and_hooks_run() {
        let shutdown = Shutdown::default();
        let (sender, mut receiver) = mpsc::unbounded_channel();
        for stage in Stage::ALL.into_iter().rev() {
            let (sender, stopping) = (sender.clone(), shutdown.stopping(stage));
            shutdown.spawn(stage, "test", async move {
                stopping.cancelled().await;
                sender.send(format!("{stage:?}")).unwrap();
            });
        }
        let hook = sender.clone();
        shutdown.on(Stage::Shards, "hand over", move || {
            Box::pin(async move {
                hook.send("hook".to_owned()).unwrap();
            })
        });
        shutdown.trigger();
        assert!(shutdown.run().await);
        drop(sender);
        let mut order = Vec::new();
        while let Ok(name) = receiver.try_recv() {
            order.push(name);
        }
        order.retain(|name| name != "hook");
        assert_eq!(order, ["Listeners", "Shards", "Internal", "Background", "Admin"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_is_cut_off() {
        let config = ShutdownConfig { drain_timeout: HumanDuration::millis(50), ..ShutdownConfig::default() };
        let shutdown = Shutdown::new(config);
        shutdown.spawn(Stage::Background, "stubborn", std::future::pending());
        shutdown.on(Stage::Shards, "stubborn", || Box::pin(std::future::pending()));
        shutdown.trigger();
        assert!(shutdown.run().await);
    }

    #[tokio::test]
    async fn the_end_of_a_vital_task_ends_the_process_with_an_error() {
        let shutdown = Shutdown::default();
        shutdown.spawn_vital(Stage::Internal, "short-lived", async {});
        assert!(!shutdown.run().await);
    }
}
