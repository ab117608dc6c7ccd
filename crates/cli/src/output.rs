//! The only place that prints: data goes to stdout, messages go to stderr.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use crate::exit_code::{Code, Failure};
use crate::logging;

/// Writes one line of data.
pub(crate) fn line(text: impl Display) -> Result<(), Failure> {
    Ok(writeln!(io::stdout().lock(), "{text}")?)
}

/// Escapes the control characters of a text from outside, so that the text cannot control a terminal. Quotes
/// stay unchanged.
pub(crate) fn printable(text: &str) -> String {
    let escape = |letter: char| match letter {
        '"' | '\'' | '\\' => letter.to_string(),
        _ => letter.escape_debug().to_string(),
    };
    text.chars().map(escape).collect()
}

/// Writes text unchanged.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    raw(text.as_bytes())
}

/// Writes data unchanged.
pub(crate) fn raw(data: &[u8]) -> Result<(), Failure> {
    Ok(io::stdout().lock().write_all(data)?)
}

/// Writes text with styles. The styles are removed if stdout does not support them.
pub(crate) fn styled(text: impl Display) -> Result<(), Failure> {
    Ok(write!(anstream::stdout().lock(), "{text}")?)
}

/// Writes indented JSON.
pub(crate) fn pretty(json: &serde_json::Value) -> Result<(), Failure> {
    line(format_args!("{json:#}"))
}

/// Writes data, and a line break if the data does not end with one.
pub(crate) fn with_line_break(data: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(data)?;
    if !data.ends_with(b"\n") {
        stdout.write_all(b"\n")?;
    }
    Ok(stdout.flush()?)
}

/// Writes named values, one on each line. A value that is too wide is wrapped.
pub(crate) fn fields(fields: &[(&str, String)]) -> Result<(), Failure> {
    /// The column in which values begin.
    const INDENT: usize = 12;
    for (name, value) in fields {
        let first_indent = format!("{name:<INDENT$}");
        let next_indent = " ".repeat(INDENT);
        let options = textwrap::Options::new(table_width())
            .word_separator(textwrap::WordSeparator::AsciiSpace)
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .break_words(false)
            .initial_indent(&first_indent)
            .subsequent_indent(&next_indent);
        for part in textwrap::wrap(value, options) {
            line(part.trim_end())?;
        }
    }
    Ok(())
}

/// Writes a table: columns two spaces apart, numbers to the right. If the table is wider than the
/// terminal (80 characters without a terminal), its widest cells are wrapped.
pub(crate) fn table<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> Result<(), Failure> {
    let heads = heads.map(str::to_owned);
    let width = |column: usize| {
        let cells = rows
            .iter()
            .chain([&heads])
            .filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let numeric: [bool; N] = std::array::from_fn(|column| {
        let mut cells = rows.iter().filter_map(|row| row.get(column));
        cells.all(|cell| {
            cell.trim_start_matches(['=', '+', ' '])
                .parse::<u64>()
                .is_ok()
        })
    });
    let longest_word = |column: usize| {
        let cells = rows
            .iter()
            .chain([&heads])
            .filter_map(|row| row.get(column));
        let words = cells.flat_map(|cell| cell.split(' '));
        words.map(|word| word.chars().count()).max().unwrap_or(0)
    };
    let words = std::array::from_fn(longest_word);
    let widths = fit(std::array::from_fn(width), words, numeric, table_width());
    for row in [&heads].into_iter().chain(rows) {
        let mut cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| wrap(cell, width));
        let cells: [Vec<String>; N] = std::array::from_fn(|_| cells.next().unwrap_or_default());
        let height = cells.iter().map(Vec::len).max().unwrap_or(1);
        for line_index in 0..height {
            let parts = cells.iter().zip(widths).zip(numeric);
            let parts = parts.map(|((cell, width), numeric)| {
                let part = cell.get(line_index).map_or("", String::as_str);
                if numeric {
                    format!("{part:>width$}")
                } else {
                    format!("{part:<width$}")
                }
            });
            line(parts.collect::<Vec<_>>().join("  ").trim_end())?;
        }
    }
    Ok(())
}

/// Returns the maximum width of a table.
fn table_width() -> usize {
    let terminal = terminal_size::terminal_size_of(io::stdout());
    terminal.map_or(80, |(width, _)| usize::from(width.0))
}

/// Narrows the widest text columns until all columns fit into `limit`. Words are broken only if the
/// columns do not fit with whole words. Columns of numbers keep their width.
fn fit<const N: usize>(
    mut widths: [usize; N],
    words: [usize; N],
    numeric: [bool; N],
    limit: usize,
) -> [usize; N] {
    /// Longer words may be broken even if the columns would fit with whole words.
    const LONG_WORD: usize = 20;
    /// The minimum width of a narrowed column.
    const MIN_WIDTH: usize = 8;
    let whole_words = words.map(|word| word.clamp(MIN_WIDTH, LONG_WORD));
    for min_widths in [whole_words, [MIN_WIDTH; N]] {
        while widths.iter().sum::<usize>() + 2 * N.saturating_sub(1) > limit {
            let columns = widths.iter_mut().zip(min_widths).zip(numeric);
            let narrowable = columns
                .filter(|((width, min_width), is_number)| !is_number && **width > *min_width);
            match narrowable.map(|((width, _), _)| width).max() {
                Some(width) => *width -= 1,
                None => break,
            }
        }
    }
    widths
}

/// Splits a cell into lines. A word longer than `width` is broken.
fn wrap(cell: &str, width: usize) -> Vec<String> {
    if cell.chars().count() <= width {
        return vec![cell.to_owned()];
    }
    let options = textwrap::Options::new(width)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    let lines = textwrap::wrap(cell, options).into_iter();
    lines.map(std::borrow::Cow::into_owned).collect()
}

/// Returns whether stdout is a terminal.
pub(crate) fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Writes a message to stderr.
///
/// Ignores write errors: there is no other place to report them.
pub(crate) fn notice(text: impl Display) {
    if logging::stderr_is_json() {
        return logging::log_notice(text);
    }
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Returns whether stderr is a terminal.
pub(crate) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Replaces the last `lines` lines on stderr with `text` and returns the number of new lines.
///
/// Each line is cut to the width of the terminal. Without a terminal, the text is appended instead.
pub(crate) fn redraw(lines: usize, text: &str) -> usize {
    if !stderr_is_terminal() {
        notice(text);
        return 0;
    }
    let width = terminal_size::terminal_size_of(io::stderr());
    let width = width.map_or(80, |(width, _)| usize::from(width.0));
    let cut = |line: &str| line.chars().take(width).collect::<String>();
    let cut: Vec<_> = text.lines().map(cut).collect();
    let move_up = match lines {
        0 => String::new(),
        lines => format!("\x1b[{lines}A\x1b[J"),
    };
    notice(format_args!("{move_up}{}", cut.join("\n")));
    cut.len()
}

/// Writes why a command failed: one line for each error, with its causes.
pub(crate) fn report(failure: &Failure) {
    let errors = match failure {
        Failure::PipeClosed | Failure::Attention => &[],
        Failure::Single { error, .. } => std::slice::from_ref(error),
        Failure::Several { errors, .. } => errors.as_slice(),
    };
    for error in errors {
        if logging::stderr_is_json() {
            logging::log_error(format_args!("{error:#}"));
        } else {
            notice(format_args!("error: {error:#}"));
        }
    }
}

/// Prints the help, or the error of a wrong command line. Returns the exit code.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && logging::stderr_is_json() {
        logging::log_error(error.render().to_string().trim());
        return Code::Usage.into();
    }
    match (error.print(), error.use_stderr()) {
        (Ok(()) | Err(_), true) => Code::Usage.into(),
        (Ok(()) | Err(_), false) => ExitCode::SUCCESS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_text_columns_are_narrowed_until_a_table_fits_or_all_have_the_minimum_width() {
        let texts = |widths, limit| fit(widths, [9; 3], [false; 3], limit);
        assert_eq!(texts([4, 10, 20], 80), [4, 10, 20]);
        assert_eq!(texts([10, 90, 20], 80), [10, 46, 20]);
        assert_eq!(texts([60, 90, 10], 80), [33, 33, 10]);
        let words = [8, 20, 90];
        assert_eq!(fit([30, 20, 90], words, [false; 3], 64), [20, 20, 20]);
        assert_eq!(
            fit([30, 20, 90], words, [false; 3], 50),
            [8, 19, 19],
            "words are broken last"
        );
        assert_eq!(
            fit([90, 90], [9; 2], [true, false], 80),
            [90, 8],
            "stops at the minimum width"
        );
    }

    #[test]
    fn a_wrapped_cell_keeps_all_its_words() {
        assert_eq!(wrap("short", 8), ["short"]);
        assert_eq!(
            wrap("grade_* submission_*", 12),
            ["grade_*", "submission_*"]
        );
        let url = "https://events.example.edu/canvas";
        let lines = wrap(url, 8);
        assert!(
            lines.iter().all(|line| line.chars().count() <= 8),
            "{lines:?}"
        );
        assert_eq!(lines.concat(), url);
    }
}
