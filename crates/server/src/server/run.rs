//! Serves until the stop, then drains and closes the server.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use easel_access::Refusals;
use easel_audit::Audit;
use easel_keys::{Keys, SigningAlgorithm};
use easel_log::{Clock, Log, LogName, Retention, run_blocking};
use jiff::Timestamp;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use super::Server;
use crate::audit_records::{current_keys, record_key_changes, server_entry};
use crate::canvas_calls::{self, CanvasCalls};
use crate::connections::Connections;
use crate::retention;

/// The interval of the upkeep of the keys.
const KEY_UPKEEP: Duration = Duration::from_mins(1);
/// The interval of the upkeep of the metrics recorder.
const UPKEEP: Duration = Duration::from_secs(5);

impl Server {
    /// Serves until `stop`. Then finishes open requests and deliveries within one time limit, and
    /// closes all files.
    pub async fn run_until(self, stop: CancellationToken) {
        let Self {
            config,
            folder,
            session,
            subscriptions,
            sources,
            pollers,
            logs,
            dispatch,
            drift,
            vitals,
            operator_events,
            clock,
            metrics,
            refusals,
            caller_upkeep,
            connections,
            canvas,
            tls_watch,
            keys,
            audit,
            changes,
            guard_report,
            stopping,
            ..
        } = self;
        let cancel_open_work = CancellationToken::new();
        let (canvas, canvas_connections) = match canvas.map(CanvasCalls::into_parts) {
            Some((service, connections)) => (Some(service), connections),
            None => (None, None),
        };
        let open_changes = changes.clone();
        let requests = async {
            let all = async {
                tokio::join!(
                    serve_all(connections, &stopping),
                    canvas_calls::serve(canvas_connections, stopping.clone()),
                )
            };
            tokio::select! {
                ((), ()) = all => (),
                () = cancel_open_work.cancelled() => warn!("open requests cancelled"),
            }
            // A change goes on although its connection is closed.
            open_changes.close();
            tokio::select! {
                () = open_changes.wait() => (),
                () = cancel_open_work.cancelled() => warn!("open changes left alone"),
            }
        };
        let deliveries = dispatch.run(stopping.clone(), cancel_open_work.clone());
        let drift_scan = drift.run(stopping.clone());
        let polling = async {
            tokio::select! {
                () = pollers.run(stopping.clone()) => (),
                () = cancel_open_work.cancelled() => warn!("open receives cancelled"),
            }
        };
        let deadline = async {
            stop.cancelled().await;
            info!("stopping");
            stopping.cancel();
            sleep(config.drain).await;
            cancel_open_work.cancel();
            std::future::pending::<Infallible>().await
        };
        let retention = |max_bytes| Retention {
            max_age: config.log.max_age,
            max_bytes,
        };
        let background_loops = async {
            tokio::join!(
                retention::run(
                    LogName::Events,
                    &*logs.events,
                    retention(config.log.max_bytes),
                    &*clock,
                    || subscriptions.expire_trimmed(),
                ),
                retention::run(
                    LogName::Quarantine,
                    &*logs.quarantine,
                    retention(config.quarantine.max_bytes),
                    &*clock,
                    || (),
                ),
                upkeep(metrics, refusals),
                caller_upkeep.run(),
                vitals.measure(),
                key_upkeep(&keys, &*clock, (&audit, &changes)),
                audit.run(),
                guard_report.run(),
                tls_watch.run(&*clock),
                canvas_calls::upkeep(canvas),
                Arc::clone(&sources).run(),
                deadline,
            )
            .0
        };
        let no_more_events = CancellationToken::new();
        let work = async {
            tokio::join!(requests, polling, deliveries, drift_scan);
            subscriptions.report_remaining_losses();
            no_more_events.cancel();
        };
        let operator_events = operator_events.run(&*logs.events, no_more_events.clone());
        tokio::select! {
            ((), ()) = async { tokio::join!(work, operator_events) } => (),
            never = background_loops => match never {},
        }
        sources.save_health(clock.now());
        caller_upkeep.save();
        let stopped = server_entry(clock.now(), "server.stop", "", &[]);
        if audit.record(stopped).await.is_err() {
            warn!("stop not recorded in the audit");
        }
        audit.close().await;
        logs.events.close().await;
        logs.quarantine.close().await;
        // After a failed write, nothing more is written. The next start does the remaining steps.
        if !logs.events.stats().refusing && !logs.quarantine.stats().refusing {
            let head = logs.events.bounds().borrow().head.get();
            if let Err(error) = folder.mark_stopped(session, head) {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "data folder not marked as cleanly stopped"
                );
            }
        }
        if let Err(error) = folder.remove_local() {
            warn!(%error, "local.json could not be removed");
        }
        info!("stopped");
    }
}

/// Serves the connections of several listeners until the stop.
async fn serve_all(all: Vec<Connections>, stop: &CancellationToken) {
    let mut tasks = JoinSet::new();
    for connections in all {
        tasks.spawn(connections.serve(stop.clone()));
    }
    // If this future is dropped, the tasks end too.
    while let Some(ended) = tasks.join_next().await {
        if let Err(join_error) = ended {
            error!(%join_error, "listener failed");
        }
    }
}

/// Generates the signing keys at the first start, and rotates them when they are due. Completes an unfinished
/// rotation of the master key. Each of these steps is one of `changes`, so that it is recorded also at the stop.
async fn key_upkeep(
    keys: &Arc<Keys>,
    clock: &dyn Clock,
    (audit, changes): (&Arc<Audit>, &TaskTracker),
) -> Infallible {
    let mut tick = interval(KEY_UPKEEP);
    loop {
        tick.tick().await;
        let (keys, now, audit) = (Arc::clone(keys), clock.now(), Arc::clone(audit));
        let step = changes.spawn(async move { change_keys(&keys, now, &audit).await });
        if let Err(error) = step.await {
            error!(%error, "upkeep of the keys failed");
        }
    }
}

/// Makes the changes of keys that are due, and records them.
async fn change_keys(keys: &Arc<Keys>, now: Timestamp, audit: &Audit) {
    let before = current_keys(keys);
    let shared = Arc::clone(keys);
    let work = move || {
        // The public keys must not tell which algorithms somebody's subscriptions use.
        for algorithm in SigningAlgorithm::ALL {
            shared.ensure(algorithm, now)?;
        }
        shared.complete_rotation()?;
        shared.rotate_due(now)
    };
    if let Err(error) = run_blocking(work).await {
        let error: &dyn std::error::Error = &error;
        error!(error, "keys not rotated");
    }
    let recorded = record_key_changes(audit, &before, &current_keys(keys)).await;
    if recorded.is_err() {
        error!("change of keys not recorded in the audit yet");
    }
}

async fn upkeep(metrics: PrometheusHandle, refusals: Arc<Refusals>) -> Infallible {
    let mut tick = interval(UPKEEP);
    loop {
        tick.tick().await;
        metrics.run_upkeep();
        refusals.report_left_out();
    }
}
