//! What every source file keeps to.

use std::fs;
use std::path::{Path, PathBuf};

use crate::workspace::{assert_none, folder_of, metadata};

/// Lines of a file without its tests, and lines of tests in a file.
const MAX_LINES: usize = 600;

/// Names that say nothing about what is inside.
const VAGUE: &[&str] = &["utils", "helpers", "common", "manager", "types", "misc"];

// Spelled in two parts, so that this file keeps to its own rules.
const TO_DO: &str = concat!("TO", "DO");
const IGNORE: &str = concat!("#[ig", "nore");
const ALLOW: &str = concat!("allow", "(");

pub(crate) fn sources() -> Vec<PathBuf> {
    let mut sources = Vec::new();
    let mut folders: Vec<_> = metadata().packages.iter().map(folder_of).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push(path);
            }
        }
    }
    sources
}

/// The breaches of one rule over all files, each with the file's name.
fn breaches(rule: impl Fn(&Path, &str) -> Option<String>) -> Vec<String> {
    let check = |path: &PathBuf| {
        let breach = rule(path, &fs::read_to_string(path).unwrap())?;
        Some(format!("{}: {breach}", path.display()))
    };
    sources().iter().filter_map(check).collect()
}

/// Lines of what is built, and lines of tests.
fn count(path: &Path, text: &str) -> (usize, usize) {
    let lines: Vec<_> = text.lines().collect();
    let is_test = path.components().any(|part| part.as_os_str() == "tests")
        || path.file_stem().is_some_and(|stem| stem == "tests");
    if is_test {
        return (0, lines.len());
    }
    // `#[cfg(test)] mod tests;` only names another file.
    let opens = |pair: &[&str]| pair[0].trim() == "#[cfg(test)]" && pair[1].trim().ends_with('{');
    let built = lines.windows(2).position(opens).unwrap_or(lines.len());
    (built, lines.len() - built)
}

fn too_long(path: &Path, text: &str) -> Option<String> {
    let (built, tests) = count(path, text);
    (built > MAX_LINES || tests > MAX_LINES)
        .then(|| format!("{built} lines and {tests} of tests; {MAX_LINES} is the most"))
}

fn without_introduction(text: &str) -> Option<String> {
    (!text.starts_with("//! ")).then(|| String::from("does not open with `//!`"))
}

fn vaguely_named(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_str()?;
    (stem == "mod" || VAGUE.contains(&stem))
        .then(|| format!("{stem} is no noun for what is inside"))
}

fn suppression(text: &str) -> Option<String> {
    let suppresses = |line: &&str| {
        let line = line.trim_start();
        line.starts_with(IGNORE) || line.starts_with('#') && line.contains(ALLOW)
    };
    text.lines()
        .find(suppresses)
        .map(|line| format!("suppresses: {}", line.trim()))
}

/// An intention needs an issue, as in `(#12)`.
fn loose_intention(text: &str) -> Option<String> {
    let loose = |line: &&str| {
        line.split_once(TO_DO)
            .is_some_and(|(_before, after)| !after.starts_with("(#"))
    };
    text.lines()
        .find(loose)
        .map(|line| format!("names no issue: {}", line.trim()))
}

fn logic_in_lib(path: &Path, text: &str) -> Option<String> {
    let is_code = |line: &&str| !line.trim_start().starts_with("//") && line.contains("fn ");
    let is_lib = path.file_name().is_some_and(|name| name == "lib.rs");
    text.lines()
        .find(|line| is_lib && is_code(line))
        .map(|line| format!("holds a function: {}", line.trim()))
}

#[test]
fn there_are_sources_to_check() {
    assert!(
        sources()
            .iter()
            .any(|path| path.ends_with("tidy/tests/it/files.rs"))
    );
}

#[test]
fn no_file_is_longer_than_six_hundred_lines() {
    assert_none(&breaches(too_long));
}

#[test]
fn every_file_opens_by_saying_what_it_is() {
    assert_none(&breaches(|_path, text| without_introduction(text)));
}

#[test]
fn every_file_is_named_for_what_is_inside() {
    assert_none(&breaches(|path, _text| vaguely_named(path)));
}

#[test]
fn nothing_is_suppressed_without_a_reason() {
    assert_none(&breaches(|_path, text| suppression(text)));
}

#[test]
fn every_intention_names_an_issue() {
    assert_none(&breaches(|_path, text| loose_intention(text)));
}

#[test]
fn lib_rs_holds_no_logic() {
    assert_none(&breaches(logic_in_lib));
}

#[test]
fn breaches_are_found() {
    let file = Path::new("crates/log/src/block.rs");
    let long = "x\n".repeat(MAX_LINES + 1);
    assert!(too_long(file, &long).is_some());
    assert!(too_long(file, &format!("#[cfg(test)]\nmod tests {{\n{long}}}")).is_some());
    assert!(too_long(file, &format!("#[cfg(test)]\nmod tests;\n{long}")).is_some());
    assert!(too_long(Path::new("crates/log/tests/it/main.rs"), &long).is_some());
    assert!(without_introduction("use std::fs;").is_some());
    assert!(vaguely_named(Path::new("crates/log/src/utils.rs")).is_some());
    assert!(vaguely_named(Path::new("crates/log/src/block/mod.rs")).is_some());
    assert!(suppression(&format!("    #![{ALLOW}dead_code)]")).is_some());
    assert!(suppression(&format!("    {IGNORE}]")).is_some());
    assert!(loose_intention(&format!("// {TO_DO}: later")).is_some());
    assert!(logic_in_lib(Path::new("src/lib.rs"), "pub fn sum() {}").is_some());
}

#[test]
fn what_is_allowed_is_no_breach() {
    let file = Path::new("crates/log/src/block.rs");
    let long = "x\n".repeat(MAX_LINES - 3);
    assert_eq!(
        too_long(file, &format!("{long}#[cfg(test)]\nmod tests {{\n{long}}}")),
        None
    );
    assert_eq!(without_introduction("//! The block."), None);
    assert_eq!(vaguely_named(file), None);
    assert_eq!(
        suppression("#[expect(dead_code, reason = \"…\")]\nself.allow(1);"),
        None
    );
    assert_eq!(loose_intention(&format!("// {TO_DO}(#12): later")), None);
    assert_eq!(
        logic_in_lib(Path::new("src/lib.rs"), "//! A fn here.\nmod block;"),
        None
    );
    assert_eq!(logic_in_lib(file, "fn sum() {}"), None);
}
