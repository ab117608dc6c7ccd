//! Messages from a test to the person who reads its output.

use std::io::Write;

/// Reports that a test skips a check, on stderr. The test harness does not capture this line.
pub fn report_skipped(what: &str) {
    #[expect(
        clippy::expect_used,
        reason = "a test that cannot report a skipped check must fail"
    )]
    writeln!(std::io::stderr(), "SKIPPED: {what}").expect("stderr is writable");
}

/// Reports that a test skips a check because a program is missing. Panics if the variable
/// `EASEL_TEST_ALL` is set: `scripts/test` sets it, and installs all programs.
pub fn report_missing(program: &str) {
    report_skipped(program);
    assert!(
        std::env::var_os("EASEL_TEST_ALL").is_none(),
        "with EASEL_TEST_ALL, no program may be missing: {program}"
    );
}
