//! What a test says to the one who reads its log.

use std::io::Write;

/// Says on stderr, past the capture of test output, that a test left something out.
pub fn left_out(what: &str) {
    #[expect(
        clippy::expect_used,
        reason = "a test that cannot say what it left out must fail"
    )]
    writeln!(std::io::stderr(), "LEFT OUT: {what}").expect("stderr takes a line");
}
