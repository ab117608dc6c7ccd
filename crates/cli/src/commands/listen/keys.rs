//! The user's input: `r` and `q`, each followed by Enter.
//!
//! This module reads lines, not single keys. So the terminal stays in its normal mode, nothing must be
//! restored if the process is killed, and a pipe works like a terminal. A process that starts in the
//! background reads nothing, because its terminal would stop it.

use std::io::{self, BufRead, IsTerminal, Read};

use rustix::process::getpgrp;
use rustix::termios::tcgetpgrp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::output;

/// The maximum number of queued `r` commands. If the queue is full, reading pauses.
const MAX_QUEUED: usize = 16;

/// The maximum length of a line. A longer line is not a command.
const MAX_LINE_BYTES: u64 = 1024;

/// The user's commands.
#[derive(Debug)]
pub(super) struct UserCommands {
    again: mpsc::Receiver<()>,
    quit: CancellationToken,
}

impl UserCommands {
    /// Prints the available keys and starts to read stdin.
    pub(super) fn read() -> io::Result<Self> {
        let (sender, again) = mpsc::channel(MAX_QUEUED);
        let quit = CancellationToken::new();
        let quit_sender = quit.clone();
        if may_read() {
            output::notice("r and Enter: send the last event again; q and Enter, or Ctrl-C: quit");
            // A read cannot be interrupted, so this thread cannot be joined. It ends with the process.
            let read = move || read(io::stdin().lock(), &sender, &quit_sender);
            std::thread::Builder::new()
                .name("keys".to_owned())
                .spawn(read)?;
        }
        Ok(Self { again, quit })
    }

    /// Returns the token that is cancelled when the user quits.
    pub(super) fn quit(&self) -> CancellationToken {
        self.quit.clone()
    }

    /// Waits until the user enters `r`.
    pub(super) async fn again(&mut self) {
        if self.again.recv().await.is_none() {
            // The end of the input does not end the command.
            std::future::pending::<()>().await;
        }
    }
}

/// Returns whether this process can read stdin without being stopped by its terminal.
fn may_read() -> bool {
    let stdin = io::stdin();
    // A terminal that is not the controlling terminal has no process group and stops no process.
    !stdin.is_terminal() || tcgetpgrp(&stdin).map_or(true, |group| group == getpgrp())
}

/// Reads commands until the input ends or the receiver is dropped.
fn read(mut input: impl BufRead, again: &mpsc::Sender<()>, quit: &CancellationToken) {
    let mut line = Vec::new();
    loop {
        line.clear();
        let limited = input.by_ref().take(MAX_LINE_BYTES);
        if !matches!(read_line(limited, &mut line), Ok(1..)) {
            return;
        }
        match line.trim_ascii() {
            b"r" => {
                if again.blocking_send(()).is_err() {
                    return;
                }
            }
            b"q" => return quit.cancel(),
            b"" => (),
            _ => output::notice("r sends the last event again, q quits"),
        }
    }
}

fn read_line(mut input: impl BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    input.read_until(b'\n', line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks how often the last event is sent again, and whether the command ends.
    #[track_caller]
    fn check(input: &str, again_count: usize, quits: bool) {
        let (sender, mut again) = mpsc::channel(MAX_QUEUED);
        let quit = CancellationToken::new();
        read(input.as_bytes(), &sender, &quit);
        let count = std::iter::from_fn(|| again.try_recv().ok()).count();
        assert_eq!(
            (count, quit.is_cancelled()),
            (again_count, quits),
            "{input:?}"
        );
    }

    #[test]
    fn a_line_with_r_sends_again_and_a_line_with_q_quits() {
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
