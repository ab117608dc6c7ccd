//! The grammar, rule by rule; that it is the whole grammar is shown against another parser in
//! `tests/it`.

use super::*;

fn scan(input: &str, max_depth: usize) -> Result<String, String> {
    let mut scanner = Scanner::minifying(input.as_bytes(), max_depth);
    let scanned = scanner
        .begin()
        .and_then(|()| scanner.value())
        .and_then(|()| scanner.end());
    match scanned {
        Ok(()) => Ok(String::from_utf8(scanner.into_minified()).expect("text from text")),
        Err(flaw) => {
            let fault = flaw.in_input(input.as_bytes());
            Err(format!("{}: {fault}", fault.code))
        }
    }
}

#[track_caller]
fn check(input: &str, wanted: &str) {
    assert_eq!(scan(input, 128).as_deref(), Ok(wanted), "{input}");
}

#[track_caller]
fn check_refused(input: &str, wanted: &str) {
    assert_eq!(
        scan(input, 128).as_ref().map_err(String::as_str),
        Err(wanted),
        "{input}"
    );
}

#[test]
fn white_space_between_tokens_goes() {
    check(" \t\r\n{ } ", "{}");
    check(
        "[ 1 , [ ] ,\n{ \"a b\" : \" c \" } ]",
        r#"[1,[],{"a b":" c "}]"#,
    );
}

#[test]
fn only_four_characters_are_white_space() {
    for (other, named) in [
        ("\u{c}", "'\\u{c}'"),
        ("\u{b}", "'\\u{b}'"),
        ("\0", "'\\0'"),
    ] {
        let wanted = format!("syntax: expected a value, found {named}, at line 1, column 2 (/0)");
        check_refused(&format!("[{other}1]"), &wanted);
    }
    check_refused(
        "[1\u{a0}]",
        "syntax: expected ',' or ']', found '\\u{a0}', at line 1, column 3 (/0)",
    );
}

#[test]
fn scalars_keep_their_spelling() {
    for input in [
        "0",
        "-0",
        "1E+05",
        "1.50e-99999",
        "true",
        "false",
        "null",
        r#""\/\u0061\ud800""#,
    ] {
        check(input, input);
    }
    let long = "9".repeat(400);
    check(&long, &long);
}

#[test]
fn strings_end_at_their_quote_wherever_it_is() {
    for length in 0..40 {
        for special in ["", r#"\""#, r"\\", r"\u00e9", "é"] {
            let input = format!(
                r#"["{}{special}{}"]"#,
                "x".repeat(length),
                "y".repeat(length % 11)
            );
            check(&input, &input);
        }
    }
}

#[test]
fn a_control_character_is_refused_wherever_it_is() {
    for length in 0..20 {
        let input = format!("\"{}\u{1f}{}\"", "\u{7f}".repeat(length), "y".repeat(9));
        let wanted = format!(
            "syntax: a control character must be escaped, at line 1, column {}",
            length + 2
        );
        check_refused(&input, &wanted);
    }
}

#[test]
fn numbers_are_spelled_as_json_spells_them() {
    check_refused(
        "[01]",
        "syntax: expected ',' or ']', found '1', at line 1, column 3 (/0)",
    );
    check_refused(
        "[+1]",
        "syntax: expected a value, found '+', at line 1, column 2 (/0)",
    );
    check_refused(
        "[.5]",
        "syntax: expected a value, found '.', at line 1, column 2 (/0)",
    );
    check_refused(
        "[-]",
        "syntax: expected a digit, found ']', at line 1, column 3 (/0)",
    );
    check_refused(
        "[1.]",
        "syntax: expected a digit, found ']', at line 1, column 4 (/0)",
    );
    check_refused(
        "[1e+-1]",
        "syntax: expected a digit, found '-', at line 1, column 5 (/0)",
    );
    check_refused(
        "[NaN]",
        "syntax: expected a value, found 'N', at line 1, column 2 (/0)",
    );
}

#[test]
fn escapes_are_those_of_json() {
    check_refused(
        r#"["\x41"]"#,
        "syntax: there is no such escape, at line 1, column 3 (/0)",
    );
    check_refused(
        r#"["\u00g0"]"#,
        "syntax: there is no such escape, at line 1, column 3 (/0)",
    );
    check_refused(
        r#"["\u00"#,
        "syntax: there is no such escape, at line 1, column 3 (/0)",
    );
}

#[test]
fn commas_colons_and_keys_stand_where_they_belong() {
    check_refused(
        "[1,]",
        "syntax: expected a value, found ']', at line 1, column 4 (/1)",
    );
    check_refused(
        "[,1]",
        "syntax: expected a value, found ',', at line 1, column 2 (/0)",
    );
    check_refused(
        "[1 2]",
        "syntax: expected ',' or ']', found '2', at line 1, column 4 (/0)",
    );
    check_refused(
        "[1}",
        "syntax: expected ',' or ']', found '}', at line 1, column 3 (/0)",
    );
    check_refused(
        r#"{"a":1,}"#,
        "syntax: expected a key in quotes, found '}', at line 1, column 8",
    );
    check_refused(
        "{a:1}",
        "syntax: expected a key in quotes, found 'a', at line 1, column 2",
    );
    check_refused(
        r#"{"a" 1}"#,
        "syntax: expected ':', found '1', at line 1, column 6 (/a)",
    );
    check_refused(
        r#"{"a":}"#,
        "syntax: expected a value, found '}', at line 1, column 6 (/a)",
    );
    check_refused(
        r#"{"a":1]"#,
        "syntax: expected ',' or '}', found ']', at line 1, column 7 (/a)",
    );
}

#[test]
fn the_end_must_come_in_time_and_be_the_end() {
    check_refused(" ", "empty: there is nothing here, at line 1, column 1");
    check_refused(
        r#"{"a"#,
        "syntax: expected a closing quote, found the end, at line 1, column 4",
    );
    check_refused(
        "[tru",
        "syntax: expected a value, found 't', at line 1, column 2 (/0)",
    );
    check_refused(
        "{} {}",
        "trailing_data: nothing may follow here, at line 1, column 4",
    );
    check_refused(
        "\u{feff}{}",
        "syntax: expected a value, found '\\u{feff}', at line 1, column 1",
    );
}

#[test]
fn nesting_has_a_bound() {
    assert_eq!(scan("[[],{}]", 2).as_deref(), Ok("[[],{}]"));
    let wanted = "too_deep: this is nested deeper than the 2 levels allowed, \
                  at line 1, column 9 (/1/a)";
    assert_eq!(
        scan(r#"[1,{"a":[]}]"#, 2).as_ref().map_err(String::as_str),
        Err(wanted)
    );
    let bomb = "[".repeat(1_000_000);
    assert!(scan(&bomb, 128).is_err_and(|message| message.starts_with("too_deep")));
    let deep = bomb.clone() + &"]".repeat(1_000_000);
    assert_eq!(scan(&deep, usize::MAX), Ok(deep));
}
