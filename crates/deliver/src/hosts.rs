//! Tracks which hosts are down.
//!
//! Lanes that send to one host share its state. A connection fails if the name does not resolve, the
//! port refuses it, or TLS fails. After three such failures in a row, from any lanes, all lanes of the
//! host are on hold, and one lane at a time probes for all of them. An error status or a timeout of an
//! endpoint is not such a failure.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::backoff::Backoff;

/// The number of consecutive failures after which a host is down.
const MAX_CONSECUTIVE: u32 = 3;

/// If a probing lane reports no result for this long, another lane may probe.
const MAX_PROBE_TIME: Duration = Duration::from_mins(6);

/// How often a lane checks whether it may probe while another lane probes.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// All hosts that lanes send to.
#[derive(Debug, Default)]
pub(crate) struct Hosts(Mutex<HashMap<String, Weak<EndpointHost>>>);

/// One host, such as `events.example.edu:443`.
#[derive(Debug)]
pub(crate) struct EndpointHost {
    state: Mutex<HostState>,
    /// The opposite of `is_up`. Lanes can read it without a lock.
    is_down: AtomicBool,
    /// Whether connections can be made.
    is_up: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct HostState {
    consecutive_count: u32,
    backoff: Backoff,
    down: Option<Down>,
}

#[derive(Debug)]
struct Down {
    /// When the next probe is due.
    until: Instant,
    /// When the probing lane started, if a lane probes.
    probe_began: Option<Instant>,
}

/// Whether a lane may probe a host that is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProbeTurn {
    /// The lane may probe. The others wait for it.
    Probe,
    /// The lane must wait until this time.
    Wait(Instant),
    /// The host is up again.
    Up,
}

impl Hosts {
    /// Returns the host with this name. All lanes share it.
    pub(crate) fn get(&self, name: &str) -> Arc<EndpointHost> {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(name).and_then(Weak::upgrade) {
            return host;
        }
        hosts.retain(|_, host| host.strong_count() > 0);
        let host = Arc::new(EndpointHost {
            state: Mutex::default(),
            is_down: AtomicBool::new(false),
            is_up: watch::Sender::new(true),
        });
        hosts.insert(name.to_owned(), Arc::downgrade(&host));
        host
    }
}

impl EndpointHost {
    /// Returns a receiver of whether connections can be made.
    pub(crate) fn watch_is_up(&self) -> watch::Receiver<bool> {
        self.is_up.subscribe()
    }

    /// True while no connection can be made.
    pub(crate) fn is_down(&self) -> bool {
        self.is_down.load(Ordering::Acquire)
    }

    /// Records that a connection was made.
    pub(crate) fn succeed(&self) {
        let mut state = self.state();
        if state.consecutive_count > 0 || state.down.is_some() {
            *state = HostState::default();
            self.set_is_up(true);
        }
    }

    /// Records that no connection could be made. Returns when the next probe is due if the host is down.
    /// `is_probe` is true if the caller had the turn to probe.
    pub(crate) fn fail(&self, is_probe: bool) -> Option<Instant> {
        let mut state = self.state();
        state.consecutive_count = state.consecutive_count.saturating_add(1);
        if state.down.is_none() && state.consecutive_count >= MAX_CONSECUTIVE || is_probe {
            let until = Instant::now() + state.backoff.fail(None);
            state.down = Some(Down {
                until,
                probe_began: None,
            });
            self.set_is_up(false);
        }
        state.down.as_ref().map(|down| down.until)
    }

    /// Gives the turn to probe to the caller, if the caller may probe now.
    pub(crate) fn take_turn(&self) -> ProbeTurn {
        let mut state = self.state();
        let now = Instant::now();
        let Some(down) = &mut state.down else {
            return ProbeTurn::Up;
        };
        if let Some(began) = down.probe_began
            && now.duration_since(began) < MAX_PROBE_TIME
        {
            return ProbeTurn::Wait(now + CHECK_EVERY);
        }
        if down.until > now {
            return ProbeTurn::Wait(down.until);
        }
        down.probe_began = Some(now);
        ProbeTurn::Probe
    }

    /// Gives back the turn to probe, without a result. The next turn comes after a pause.
    pub(crate) fn give_back_turn(&self) {
        let state = &mut *self.state();
        if let Some(down) = &mut state.down {
            down.probe_began = None;
            down.until = Instant::now() + state.backoff.fail(None);
        }
    }

    fn set_is_up(&self, is_up: bool) {
        self.is_down.store(!is_up, Ordering::Release);
        self.is_up.send_replace(is_up);
    }

    fn state(&self) -> MutexGuard<'_, HostState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_one_lane_at_a_time_probes_a_host() {
        let hosts = Hosts::default();
        let host = hosts.get("nowhere.example:443");
        assert!(Arc::ptr_eq(&host, &hosts.get("nowhere.example:443")));
        assert_eq!((host.fail(false), host.fail(false)), (None, None));
        let due = host.fail(false).expect("the host is down");
        assert!(!*host.watch_is_up().borrow());
        assert_eq!(host.take_turn(), ProbeTurn::Wait(due));
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!(host.take_turn(), ProbeTurn::Probe);
        assert!(
            matches!(host.take_turn(), ProbeTurn::Wait(_)),
            "another lane probes"
        );
        let later = host.fail(true).expect("the host is still down");
        assert!(later > due + Duration::from_secs(6));
        tokio::time::advance(Duration::from_secs(12)).await;
        assert_eq!(host.take_turn(), ProbeTurn::Probe);
        host.succeed();
        assert_eq!(host.take_turn(), ProbeTurn::Up);
        assert!(*host.watch_is_up().borrow());
    }

    #[test]
    fn a_successful_connection_resets_the_failure_count() {
        let host = Hosts::default().get("example:80");
        for _ in 0..20 {
            assert_eq!((host.fail(false), host.fail(false)), (None, None));
            host.succeed();
        }
    }
}
