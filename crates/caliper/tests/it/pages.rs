//! The page of all rules of the checker.

use std::fmt::Write;
use std::{env, fs};

use easel_caliper::Rule;

/// `EASEL_WRITE_PAGES=1 cargo nt -p easel-caliper pages` writes the page.
#[test]
#[expect(clippy::disallowed_methods, reason = "the page is a file")]
fn the_page_of_the_rules_is_up_to_date() {
    let mut page = "# Rules of the Caliper checker\n\nThis page is generated from `crates/caliper/src/rule.rs`. \
                    [caliper-checker.md](caliper-checker.md) says how to use the checker. MUST and SHOULD are levels \
                    of the standard. `sense` marks what the standard allows, but is probably a mistake of the sender.\n\n\
                    | rule | level | requires |\n| --- | --- | --- |\n"
        .to_owned();
    for rule in Rule::ALL {
        let (code, level, meaning) = (rule.code(), rule.level().code(), rule.meaning());
        writeln!(page, "| {code} | {level} | {meaning} |").unwrap();
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/caliper-rules.md");
    if env::var_os("EASEL_WRITE_PAGES").is_some() {
        fs::write(path, &page).unwrap();
    }
    let written = fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == page,
        "docs/caliper-rules.md is stale; CONTRIBUTING.md says how to write it"
    );
}
