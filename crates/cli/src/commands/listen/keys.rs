//! What the user types: `r` and `q`, each followed by Enter.
//!
//! Lines are read, not single keys. So the terminal stays in its usual mode, and there is nothing to
//! restore if the process is killed; and a pipe works like a terminal. A process that starts in
//! the background reads nothing, since its terminal would stop it.

use std::io::{self, BufRead, IsTerminal, Read};

use rustix::process::getpgrp;
use rustix::termios::tcgetpgrp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::output;

/// Requests to send again that may wait while an attempt is under way; after that nothing is read.
const MAX_WAITING: usize = 16;

/// The most bytes of a line; what is longer is no command.
const MAX_LINE_BYTES: u64 = 1024;

/// What the user asks for.
#[derive(Debug)]
pub(super) struct UserCommands {
    again: mpsc::Receiver<()>,
    leave: CancellationToken,
}

impl UserCommands {
    /// Says what can be typed, and reads stdin from here on.
    pub(super) fn read() -> io::Result<Self> {
        let (sender, again) = mpsc::channel(MAX_WAITING);
        let leave = CancellationToken::new();
        let left = leave.clone();
        if may_read() {
            output::talk("r and Enter: send the last event again; q and Enter, or Ctrl-C: leave");
            // A read cannot be interrupted, so nobody can join this thread: it ends with the process.
            let read = move || read(io::stdin().lock(), &sender, &left);
            std::thread::Builder::new()
                .name("keys".to_owned())
                .spawn(read)?;
        }
        Ok(Self { again, leave })
    }

    /// What is cancelled when the user asks to leave.
    pub(super) fn leave(&self) -> CancellationToken {
        self.leave.clone()
    }

    /// Waits until the user asks to send the last event again.
    pub(super) async fn again(&mut self) {
        if self.again.recv().await.is_none() {
            // The input has ended, which does not end the command.
            std::future::pending::<()>().await;
        }
    }
}

/// Whether stdin can be read without being stopped by its terminal.
fn may_read() -> bool {
    let stdin = io::stdin();
    // A terminal that does not control this process stops nobody, and knows no process group.
    !stdin.is_terminal() || tcgetpgrp(&stdin).map_or(true, |group| group == getpgrp())
}

/// Reads commands until the input ends, or until nobody waits for them.
fn read(mut input: impl BufRead, again: &mpsc::Sender<()>, leave: &CancellationToken) {
    let mut line = Vec::new();
    loop {
        line.clear();
        let part = input.by_ref().take(MAX_LINE_BYTES);
        if !matches!(read_line(part, &mut line), Ok(1..)) {
            return;
        }
        match line.trim_ascii() {
            b"r" => {
                if again.blocking_send(()).is_err() {
                    return;
                }
            }
            b"q" => return leave.cancel(),
            b"" => (),
            _ => output::talk("r sends the last event again, q leaves"),
        }
    }
}

fn read_line(mut input: impl BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    input.read_until(b'\n', line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often the last event is sent again, and whether the command ends.
    #[track_caller]
    fn check(input: &str, again_count: usize, leaves: bool) {
        let (sender, mut again) = mpsc::channel(MAX_WAITING);
        let leave = CancellationToken::new();
        read(input.as_bytes(), &sender, &leave);
        let count = std::iter::from_fn(|| again.try_recv().ok()).count();
        assert_eq!(
            (count, leave.is_cancelled()),
            (again_count, leaves),
            "{input:?}"
        );
    }

    #[test]
    fn a_line_with_r_sends_again_and_one_with_q_leaves() {
        check("r\n", 1, false);
        check("r\r\n r \nr", 3, false);
        check("r\nq\nr\n", 1, true);
    }

    #[test]
    fn other_lines_and_the_end_of_the_input_change_nothing() {
        check("", 0, false);
        check("\n\nrr\nagain\nR\n\u{e6}\n", 0, false);
        check(&"x".repeat(5000), 0, false);
    }
}
