//! The grammar, rule by rule. `tests/it` compares the whole grammar with another parser.

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
fn check_rejected(input: &str, wanted: &str) {
    assert_eq!(
        scan(input, 128).as_ref().map_err(String::as_str),
        Err(wanted),
        "{input}"
    );
}

#[test]
fn white_space_between_tokens_is_removed() {
    check(" \t\r\n{ } ", "{}");
    check(
        "[ 1 , [ ] ,\n{ \"a b\" : \" c \" } ]",
        r#"[1,[],{"a b":" c "}]"#,
    );
}

#[test]
fn only_four_characters_are_white_space() {
    for (other, escaped) in [
        ("\u{c}", "'\\u{c}'"),
        ("\u{b}", "'\\u{b}'"),
        ("\0", "'\\0'"),
    ] {
        let wanted = format!("syntax: expected a value, found {escaped}, at line 1, column 2 (/0)");
        check_rejected(&format!("[{other}1]"), &wanted);
    }
    check_rejected(
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
fn strings_end_at_their_quote_at_any_length() {
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
fn a_control_character_is_rejected_at_any_position() {
    for length in 0..20 {
        let input = format!("\"{}\u{1f}{}\"", "\u{7f}".repeat(length), "y".repeat(9));
        let wanted = format!(
            "syntax: a control character must be escaped, at line 1, column {}",
            length + 2
        );
        check_rejected(&input, &wanted);
    }
}

#[test]
fn numbers_must_have_the_spelling_of_json() {
    check_rejected(
        "[01]",
        "syntax: expected ',' or ']', found '1', at line 1, column 3 (/0)",
    );
    check_rejected(
        "[+1]",
        "syntax: expected a value, found '+', at line 1, column 2 (/0)",
    );
    check_rejected(
        "[.5]",
        "syntax: expected a value, found '.', at line 1, column 2 (/0)",
    );
    check_rejected(
        "[-]",
        "syntax: expected a digit, found ']', at line 1, column 3 (/0)",
    );
    check_rejected(
        "[1.]",
        "syntax: expected a digit, found ']', at line 1, column 4 (/0)",
    );
    check_rejected(
        "[1e+-1]",
        "syntax: expected a digit, found '-', at line 1, column 5 (/0)",
    );
    check_rejected(
        "[NaN]",
        "syntax: expected a value, found 'N', at line 1, column 2 (/0)",
    );
}

#[test]
fn escapes_must_be_those_of_json() {
    check_rejected(
        r#"["\x41"]"#,
        "syntax: the escape is invalid, at line 1, column 3 (/0)",
    );
    check_rejected(
        r#"["\u00g0"]"#,
        "syntax: the escape is invalid, at line 1, column 3 (/0)",
    );
    check_rejected(
        r#"["\u00"#,
        "syntax: the escape is invalid, at line 1, column 3 (/0)",
    );
}

#[test]
fn commas_colons_and_keys_must_be_in_their_place() {
    check_rejected(
        "[1,]",
        "syntax: expected a value, found ']', at line 1, column 4 (/1)",
    );
    check_rejected(
        "[,1]",
        "syntax: expected a value, found ',', at line 1, column 2 (/0)",
    );
    check_rejected(
        "[1 2]",
        "syntax: expected ',' or ']', found '2', at line 1, column 4 (/0)",
    );
    check_rejected(
        "[1}",
        "syntax: expected ',' or ']', found '}', at line 1, column 3 (/0)",
    );
    check_rejected(
        r#"{"a":1,}"#,
        "syntax: expected a key in quotes, found '}', at line 1, column 8",
    );
    check_rejected(
        "{a:1}",
        "syntax: expected a key in quotes, found 'a', at line 1, column 2",
    );
    check_rejected(
        r#"{"a" 1}"#,
        "syntax: expected ':', found '1', at line 1, column 6 (/a)",
    );
    check_rejected(
        r#"{"a":}"#,
        "syntax: expected a value, found '}', at line 1, column 6 (/a)",
    );
    check_rejected(
        r#"{"a":1]"#,
        "syntax: expected ',' or '}', found ']', at line 1, column 7 (/a)",
    );
}

#[test]
fn the_input_must_end_after_exactly_one_value() {
    check_rejected(" ", "empty: the input is empty, at line 1, column 1");
    check_rejected(
        r#"{"a"#,
        "syntax: expected a closing quote, found the end, at line 1, column 4",
    );
    check_rejected(
        "[tru",
        "syntax: expected a value, found 't', at line 1, column 2 (/0)",
    );
    check_rejected(
        "{} {}",
        "trailing_data: there must be no data after the JSON value, at line 1, column 4",
    );
    check_rejected(
        "\u{feff}{}",
        "syntax: expected a value, found '\\u{feff}', at line 1, column 1",
    );
}

#[test]
fn nesting_has_a_limit() {
    assert_eq!(scan("[[],{}]", 2).as_deref(), Ok("[[],{}]"));
    let wanted = "too_deep: the nesting must not be deeper than 2 levels, \
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
