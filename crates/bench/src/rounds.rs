//! Several ways to do the same work, timed in turns.

use std::time::Duration;
#[expect(clippy::disallowed_types, reason = "what is measured is real time")]
use std::time::Instant;

/// One way to do the work.
pub(crate) struct Way<'a> {
    /// What it is called.
    pub(crate) name: &'static str,
    /// Does the work once.
    pub(crate) work: Box<dyn FnMut() + 'a>,
}

/// Times every way `rounds` times, in turns, and prints for each the median, what that makes of
/// `events` of `bytes` in all, and how long it takes compared with the first.
#[expect(clippy::print_stdout, reason = "printing is what the program is for")]
pub(crate) fn compare(mut ways: Vec<Way<'_>>, rounds: usize, events: usize, bytes: usize) {
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); ways.len()];
    for way in &mut ways {
        (way.work)();
    }
    for _ in 0..rounds {
        for (way, times) in ways.iter_mut().zip(&mut times) {
            #[expect(clippy::disallowed_types, reason = "what is measured is real time")]
            let start = Instant::now();
            (way.work)();
            times.push(start.elapsed());
        }
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times
            .get(times.len() / 2)
            .map_or(0.0, Duration::as_secs_f64)
    };
    let medians: Vec<f64> = times.iter_mut().map(median).collect();
    let first = medians.first().copied().unwrap_or(1.0);
    println!(
        "{:<42} {:>12} {:>9} {:>7}",
        "way", "events/s", "MB/s", "time"
    );
    for (way, seconds) in ways.iter().zip(&medians) {
        let per_second = |count: usize| u32::try_from(count).map_or(0.0, f64::from) / seconds;
        println!(
            "{:<42} {:>12.0} {:>9.0} {:>6.2}x",
            way.name,
            per_second(events),
            per_second(bytes) / 1e6,
            seconds / first,
        );
    }
}
