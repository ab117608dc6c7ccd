//! The signals that stop a command or reload its settings.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT (Ctrl-C), optionally SIGHUP.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// SIGHUP, if the command handles it.
    hangup: Option<Signal>,
}

/// The meaning of a received signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignalRequest {
    /// Stop: SIGTERM or SIGINT.
    Stop,
    /// SIGHUP: the terminal is closed, or the settings have changed.
    Hangup,
}

impl Signals {
    /// Starts to handle SIGTERM and SIGINT. After this call, these signals no longer end the process by themselves.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: None,
        })
    }

    /// Starts to handle SIGTERM, SIGINT and SIGHUP. A closed terminal sends SIGHUP; an operator sends
    /// it after a change of the settings.
    pub(crate) fn with_hangup() -> std::io::Result<Self> {
        Ok(Self {
            hangup: Some(signal(SignalKind::hangup())?),
            ..Self::listen()?
        })
    }

    /// Waits for the next SIGTERM or SIGINT.
    pub(crate) async fn stop_requested(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => (),
            _ = self.interrupt.recv() => (),
        }
    }

    /// Waits for the next signal.
    pub(crate) async fn next(&mut self) -> SignalRequest {
        tokio::select! {
            _ = self.terminate.recv() => SignalRequest::Stop,
            _ = self.interrupt.recv() => SignalRequest::Stop,
            Some(()) = next_hangup(&mut self.hangup) => SignalRequest::Hangup,
        }
    }
}

async fn next_hangup(hangup: &mut Option<Signal>) -> Option<()> {
    match hangup {
        Some(hangup) => hangup.recv().await,
        None => std::future::pending().await,
    }
}
