//! A progress bar on stderr for long work. The bar is hidden if stderr is not a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The bar is shown only for work that takes longer than this.
const MIN_DURATION: Duration = Duration::from_secs(1);

const BYTES: &str = "{bar:40} {bytes}/{total_bytes}  {bytes_per_sec}  {eta}";
const BYTES_WITHOUT_TOTAL: &str = "{spinner} {bytes}  {bytes_per_sec}";
const DAYS: &str = "{bar:40} day {human_pos} of {human_len}  {eta}";
const EVENTS: &str = "{bar:40} {human_pos}/{human_len} events  {per_sec}  {eta}";

/// The progress bar of a long operation.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Creates a bar for `total` bytes. `total` is `None` if the size is unknown.
    pub(crate) fn of_bytes(total: Option<u64>) -> Self {
        Self::new(
            total,
            if total.is_some() {
                BYTES
            } else {
                BYTES_WITHOUT_TOTAL
            },
        )
    }

    /// Creates a bar for `total` days.
    pub(crate) fn of_days(total: u64) -> Self {
        Self::new(Some(total), DAYS)
    }

    /// Creates a bar for `total` events.
    pub(crate) fn of_events(total: u64) -> Self {
        Self::new(Some(total), EVENTS)
    }

    #[expect(clippy::expect_used, reason = "the templates above are well-formed")]
    fn new(total: Option<u64>, template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        bar.set_style(ProgressStyle::with_template(template).expect("valid template"));
        Self { bar }
    }

    /// Advances the bar by `count`.
    pub(crate) fn add(&self, count: usize) {
        if self.bar.is_hidden() && self.bar.elapsed() > MIN_DURATION {
            // The bar stays hidden if stderr is not a terminal.
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// Hides the bar while `work` runs, because `work` may print.
    pub(crate) fn hide_while<T>(&self, work: impl FnOnce() -> T) -> T {
        self.bar.suspend(work)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
