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

/// Writes named values, a line each: what is wider than a table may be goes on in the next line.
pub(crate) fn fields(fields: &[(&str, String)]) -> Result<(), Failure> {
    /// Where values begin.
    const INDENT: usize = 12;
    for (name, value) in fields {
        let first = format!("{name:<INDENT$}");
        let further = " ".repeat(INDENT);
        let options = textwrap::Options::new(table_width())
            .word_separator(textwrap::WordSeparator::AsciiSpace)
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .break_words(false)
            .initial_indent(&first)
            .subsequent_indent(&further);
        for part in textwrap::wrap(value, options) {
            line(part.trim_end())?;
        }
    }
    Ok(())
}

/// Writes a table: columns two spaces apart, numbers to the right. A table that is wider than the
/// terminal, or than 80 characters where there is none, has its widest cells on several lines.
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
        for number in 0..height {
            let parts = cells.iter().zip(widths).zip(numeric);
            let parts = parts.map(|((cell, width), numeric)| {
                let part = cell.get(number).map_or("", String::as_str);
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

/// How wide a table may be.
fn table_width() -> usize {
    let terminal = terminal_size::terminal_size_of(io::stdout());
    terminal.map_or(80, |(width, _)| usize::from(width.0))
}

/// Makes the widest columns narrower until all fit into `limit`: first only as far as their words
/// stay whole, then further. Those of numbers keep their width.
fn fit<const N: usize>(
    mut widths: [usize; N],
    words: [usize; N],
    numeric: [bool; N],
    limit: usize,
) -> [usize; N] {
    /// Words longer than this are broken before other columns suffer.
    const LONG_WORD: usize = 20;
    /// No column becomes narrower than this.
    const NARROWEST: usize = 8;
    let whole_words = words.map(|word| word.clamp(NARROWEST, LONG_WORD));
    for narrowest in [whole_words, [NARROWEST; N]] {
        while widths.iter().sum::<usize>() + 2 * N.saturating_sub(1) > limit {
            let columns = widths.iter_mut().zip(narrowest).zip(numeric);
            let texts = columns
                .filter(|((width, narrowest), is_number)| !is_number && **width > *narrowest);
            match texts.map(|((width, _), _)| width).max() {
                Some(width) => *width -= 1,
                None => break,
            }
        }
    }
    widths
}

/// The lines of a cell; what has no space within `width` is broken there.
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

/// Whether stdout is a terminal: somebody reads along.
pub(crate) fn is_read_by_people() -> bool {
    io::stdout().is_terminal()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_made_to_fit_by_its_widest_texts() {
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
            "there is an end to it"
        );
    }

    #[test]
    fn a_cell_loses_nothing_when_it_is_broken() {
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
