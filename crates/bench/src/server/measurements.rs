//! Measured values, and the comparison of two programs.

use std::collections::BTreeMap;

/// The measurements of one run.
pub(crate) type Measurements = Vec<Measurement>;

/// One measured value.
#[derive(Clone, Debug)]
pub(crate) struct Measurement {
    /// The name.
    pub(crate) name: String,
    /// The measured value.
    pub(crate) value: f64,
    /// The unit of the value.
    pub(crate) unit: Unit,
}

/// The unit of a measurement.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    /// Events per second: more is better.
    EventsPerSecond,
    /// Milliseconds: less is better.
    Milliseconds,
}

impl Unit {
    const fn name(self) -> &'static str {
        match self {
            Self::EventsPerSecond => "events/s",
            Self::Milliseconds => "ms",
        }
    }

    /// Returns how many times better the first value is. If the result is above 1, the first value is
    /// better.
    fn ratio(self, first: f64, second: f64) -> f64 {
        match self {
            Self::EventsPerSecond => first / second,
            Self::Milliseconds => second / first,
        }
    }
}

/// The measurements of all runs.
#[derive(Debug)]
pub(crate) struct Table {
    program_count: usize,
    rows: BTreeMap<String, MeasurementRow>,
    has_header: bool,
}

#[derive(Debug)]
struct MeasurementRow {
    unit: Unit,
    /// The values of each program, in the order of the rounds.
    values: Vec<Vec<f64>>,
    is_printed: bool,
}

impl Table {
    pub(crate) fn new(program_count: usize) -> Self {
        Self {
            program_count,
            rows: BTreeMap::new(),
            has_header: false,
        }
    }

    /// Adds the measurements of one run of a program.
    pub(crate) fn add(&mut self, program: usize, measurements: Measurements) {
        for Measurement { name, value, unit } in measurements {
            let row = self.rows.entry(name).or_insert_with(|| MeasurementRow {
                unit,
                values: vec![Vec::new(); self.program_count],
                is_printed: false,
            });
            if let Some(values) = row.values.get_mut(program) {
                values.push(value);
            }
        }
    }

    /// Prints the rows that are not printed yet.
    #[expect(clippy::print_stdout, reason = "the program prints its results")]
    pub(crate) fn print_new(&mut self) {
        if !self.has_header {
            self.has_header = true;
            println!(
                "{:<34} {:>10} {:>10} {:>8}  unit; medians; ratio above 1: the first is better",
                "measurement", "first", "second", "ratio"
            );
        }
        for (name, row) in self.rows.iter_mut().filter(|(_, row)| !row.is_printed) {
            row.is_printed = true;
            let first = row.values.first().cloned().unwrap_or_default();
            let second = row.values.get(1).cloned();
            let ratio = second.as_ref().map(|second| {
                let pairs = first.iter().zip(second);
                median(pairs.map(|(one, other)| row.unit.ratio(*one, *other)))
            });
            println!(
                "{name:<34} {:>10} {:>10} {:>8}  {}",
                display(median(first)),
                second.map_or_else(String::new, |values| display(median(values))),
                ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
                row.unit.name(),
            );
        }
    }
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn display(value: f64) -> String {
    if value < 100.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.0}")
    }
}
