//! Compares the times of several ways to do the same work.

use std::time::Duration;
#[expect(clippy::disallowed_types, reason = "benchmarks measure real time")]
use std::time::Instant;

/// One way to do the work.
pub(crate) struct Variant<'a> {
    /// The name in the output.
    pub(crate) name: &'static str,
    /// The function that does the work once.
    pub(crate) work: Box<dyn FnMut() + 'a>,
}

/// Measures the time of every variant in each of `rounds` rounds. For each variant, prints its rates and
/// its relative time, calculated from its median time.
///
/// In each round, a variant handles `events` events, which have `total_bytes` bytes in total. Its time
/// is relative to that of the first variant.
#[expect(clippy::print_stdout, reason = "the program prints its results")]
pub(crate) fn compare(
    mut variants: Vec<Variant<'_>>,
    rounds: usize,
    events: usize,
    total_bytes: usize,
) {
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); variants.len()];
    for variant in &mut variants {
        (variant.work)();
    }
    for _ in 0..rounds {
        for (variant, times) in variants.iter_mut().zip(&mut times) {
            #[expect(clippy::disallowed_types, reason = "benchmarks measure real time")]
            let start = Instant::now();
            (variant.work)();
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
    let first_median = medians.first().copied().unwrap_or(1.0);
    println!(
        "{:<42} {:>12} {:>9} {:>7}",
        "variant", "events/s", "MB/s", "time"
    );
    for (variant, seconds) in variants.iter().zip(&medians) {
        let per_second = |count: usize| u32::try_from(count).map_or(0.0, f64::from) / seconds;
        println!(
            "{:<42} {:>12.0} {:>9.0} {:>6.2}x",
            variant.name,
            per_second(events),
            per_second(total_bytes) / 1e6,
            seconds / first_median,
        );
    }
}
