//! Times several ways to do the same work, in turn.

use std::time::Duration;
#[expect(clippy::disallowed_types, reason = "benchmarks measure real time")]
use std::time::Instant;

/// One way to do the work.
pub(crate) struct Way<'a> {
    /// The name in the output.
    pub(crate) name: &'static str,
    /// The function that does the work once.
    pub(crate) work: Box<dyn FnMut() + 'a>,
}

/// Times every way `rounds` times, in turn, and prints the rates and relative time of each median.
///
/// One round handles `events` events with `bytes` bytes in total. The relative time compares a way
/// with the first one.
#[expect(clippy::print_stdout, reason = "the program prints its results")]
pub(crate) fn compare(mut ways: Vec<Way<'_>>, rounds: usize, events: usize, bytes: usize) {
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); ways.len()];
    for way in &mut ways {
        (way.work)();
    }
    for _ in 0..rounds {
        for (way, times) in ways.iter_mut().zip(&mut times) {
            #[expect(clippy::disallowed_types, reason = "benchmarks measure real time")]
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
