//! The signals that ask to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM, and the SIGINT that Ctrl-C sends.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// What a terminal sends that is closed, where it matters.
    hangup: Option<Signal>,
}

impl Signals {
    /// Takes them from here on; none ends the process by itself any more.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: None,
        })
    }

    /// The same, and takes SIGHUP: for what leaves nothing behind when its terminal is closed.
    pub(crate) fn with_hangup() -> std::io::Result<Self> {
        Ok(Self {
            hangup: Some(signal(SignalKind::hangup())?),
            ..Self::listen()?
        })
    }

    /// Waits for the next of them.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => (),
            _ = self.interrupt.recv() => (),
            Some(()) = hung_up(&mut self.hangup) => (),
        }
    }
}

async fn hung_up(hangup: &mut Option<Signal>) -> Option<()> {
    match hangup {
        Some(hangup) => hangup.recv().await,
        None => std::future::pending().await,
    }
}
