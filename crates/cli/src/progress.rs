//! A bar on stderr for work that takes long; none where nobody would see it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What is over sooner needs no bar.
const LONG: Duration = Duration::from_secs(1);

const BYTES: &str = "{bar:40} {bytes}/{total_bytes}  {bytes_per_sec}  {eta}";
const BYTES_ON_AND_ON: &str = "{spinner} {bytes}  {bytes_per_sec}";
const DAYS: &str = "{bar:40} day {human_pos} of {human_len}  {eta}";
const EVENTS: &str = "{bar:40} {human_pos}/{human_len} events  {per_sec}  {eta}";

/// How far a long work is.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Work on so many bytes; `None` when nobody knows how many.
    pub(crate) fn of_bytes(total: Option<u64>) -> Self {
        Self::new(
            total,
            if total.is_some() {
                BYTES
            } else {
                BYTES_ON_AND_ON
            },
        )
    }

    /// Work on so many days.
    pub(crate) fn of_days(total: u64) -> Self {
        Self::new(Some(total), DAYS)
    }

    /// Work on so many events.
    pub(crate) fn of_events(total: u64) -> Self {
        Self::new(Some(total), EVENTS)
    }

    #[expect(clippy::expect_used, reason = "the templates above are well-formed")]
    fn new(total: Option<u64>, template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        bar.set_style(ProgressStyle::with_template(template).expect("a template"));
        Self { bar }
    }

    /// Notes that so much more is done.
    pub(crate) fn add(&self, count: usize) {
        if self.bar.is_hidden() && self.bar.elapsed() > LONG {
            // It stays hidden where stderr is no terminal.
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// Does something that may print, with the bar out of the way.
    pub(crate) fn pause<T>(&self, work: impl FnOnce() -> T) -> T {
        self.bar.suspend(work)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
