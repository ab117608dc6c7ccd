//! Messages from a test to the person who reads its output.

use std::io::Write;

/// Writes to stderr that a test skipped a check. The test harness does not capture this line.
pub fn report_skipped(what: &str) {
    #[expect(
        clippy::expect_used,
        reason = "a test that cannot report a skipped check must fail"
    )]
    writeln!(std::io::stderr(), "SKIPPED: {what}").expect("stderr is writable");
}
