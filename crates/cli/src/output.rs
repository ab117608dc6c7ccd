//! The one place that prints: stdout is for data, stderr for talk.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use crate::exit_code::{Code, Failure};
use crate::logging;

/// Writes one line of data.
pub(crate) fn line(text: impl Display) -> Result<(), Failure> {
    Ok(writeln!(io::stdout().lock(), "{text}")?)
}

/// Text from outside, which must not steer a terminal: quotes stay as they are.
pub(crate) fn plain(text: &str) -> String {
    let spell = |letter: char| match letter {
        '"' | '\'' | '\\' => letter.to_string(),
        _ => letter.escape_debug().to_string(),
    };
    text.chars().map(spell).collect()
}

/// Writes text as it is.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    raw(text.as_bytes())
}

/// Writes data as it is.
pub(crate) fn raw(data: &[u8]) -> Result<(), Failure> {
    Ok(io::stdout().lock().write_all(data)?)
}

/// Writes text with styles, which are taken out where they would be of no use.
pub(crate) fn styled(text: impl Display) -> Result<(), Failure> {
    Ok(write!(anstream::stdout().lock(), "{text}")?)
}

/// Writes JSON that people may read too.
pub(crate) fn pretty(json: &serde_json::Value) -> Result<(), Failure> {
    line(format_args!("{json:#}"))
}

/// Writes data as it is, and ends the line.
pub(crate) fn bytes(data: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(data)?;
    if !data.ends_with(b"\n") {
        stdout.write_all(b"\n")?;
    }
    Ok(stdout.flush()?)
}

/// Writes a table: columns two spaces apart, numbers to the right.
pub(crate) fn table<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> Result<(), Failure> {
    let heads = heads.map(str::to_owned);
    let width = |column: usize| {
        let cells = rows
            .iter()
            .chain([&heads])
            .filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let numeric: [bool; N] = std::array::from_fn(|column| {
        let mut cells = rows.iter().filter_map(|row| row.get(column));
        cells.all(|cell| {
            cell.trim_start_matches(['=', '+', ' '])
                .parse::<u64>()
                .is_ok()
        })
    });
    for row in [&heads].into_iter().chain(rows) {
        let cells = row
            .iter()
            .zip(widths)
            .zip(numeric)
            .map(|((cell, width), numeric)| {
                if numeric {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            });
        line(cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// Says something to the user.
///
/// A stderr that cannot be written to leaves nobody to tell, so that is not an error.
pub(crate) fn talk(text: impl Display) {
    if logging::speaks_json() {
        return logging::record_talk(text);
    }
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Whether what is said is seen by somebody, who likes it redrawn in one place.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Says something in the place of the last so many lines, each cut to the width of the terminal, and
/// answers how many there are then; where nobody looks, below what was said before.
pub(crate) fn talk_over(lines: usize, text: &str) -> usize {
    if !is_watched() {
        talk(text);
        return 0;
    }
    let width = terminal_size::terminal_size_of(io::stderr());
    let width = width.map_or(80, |(width, _)| usize::from(width.0));
    let cut = |line: &str| line.chars().take(width).collect::<String>();
    let cut: Vec<_> = text.lines().map(cut).collect();
    let up = match lines {
        0 => String::new(),
        lines => format!("\x1b[{lines}A\x1b[J"),
    };
    talk(format_args!("{up}{}", cut.join("\n")));
    cut.len()
}

/// Says why a command failed: one line for each error, the error and then its causes.
pub(crate) fn report(failure: &Failure) {
    let errors = match failure {
        Failure::ReaderLeft | Failure::Attention => &[],
        Failure::Told { error, .. } => std::slice::from_ref(error),
        Failure::Several { errors, .. } => errors.as_slice(),
    };
    for error in errors {
        if logging::speaks_json() {
            logging::record_error(format_args!("{error:#}"));
        } else {
            talk(format_args!("error: {error:#}"));
        }
    }
}

/// Prints help, or what is wrong with the command line.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && logging::speaks_json() {
        logging::record_error(error.render().to_string().trim());
        return Code::Usage.into();
    }
    match (error.print(), error.use_stderr()) {
        (Ok(()) | Err(_), true) => Code::Usage.into(),
        (Ok(()) | Err(_), false) => ExitCode::SUCCESS,
    }
}
