//! Translates the errors of the TOML parser into plain words.
//!
//! A parser's message ("invalid type: map, expected a sequence") describes the program that reads
//! the file, not the file. An unknown syntax error becomes a general sentence, so that users do not see
//! messages of the parser. A message that Easel itself wrote stays.

use std::ops::Range;

/// Translates the error `message` of a deserialiser at `span` of `text`. If the message is not one of
/// serde or the TOML parser, returns it unchanged, on one line.
pub fn toml_words(text: &str, message: &str, span: Option<Range<usize>>) -> String {
    let start = span.map_or(0, |span| span.start);
    let key = key_before(text, start);
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if message.starts_with("unknown field") {
        return names.split_first().map_or_else(general, |(key, known)| {
            let known = listed(known);
            format!("unknown key `{key}`; the keys here are {known}")
        });
    }
    if message.starts_with("unknown variant") {
        return names.split_first().map_or_else(general, |(value, known)| {
            let known = listed(known);
            match key {
                Some(key) => format!("`{key}` must be one of {known}, not `{value}`"),
                None => format!("`{value}` must be one of {known}"),
            }
        });
    }
    if message.starts_with("missing field") {
        return names
            .first()
            .map_or_else(general, |key| format!("`{key}` is missing"));
    }
    if let Some(rest) = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "))
    {
        let (found, wanted) = rest.split_once(", expected ").unwrap_or((rest, ""));
        let name = key.map_or_else(|| "this value".to_owned(), |key| format!("`{key}`"));
        let shown_value = names
            .first()
            .filter(|_| message.starts_with("invalid value"));
        let found = shown_value.map_or_else(|| found_words(found), |value| (*value).to_owned());
        let wanted = wanted_words(wanted);
        return format!("{name} must be {wanted}, not {found}");
    }
    if [
        "wanted",
        "unexpected",
        "expected",
        "integer number",
        "floating-point",
    ]
    .iter()
    .any(|start| message.starts_with(start))
    {
        let name = key.map_or_else(|| "this value".to_owned(), |key| format!("`{key}`"));
        return format!("{name} has a value of the wrong kind");
    }
    message.replace('\n', ", ")
}

fn general() -> String {
    "this is invalid TOML".to_owned()
}

/// Translates the syntax error `message` of the parser at `span` of `text`.
pub fn toml_syntax_words(text: &str, message: &str, span: Option<Range<usize>>) -> String {
    let start = span.map_or(0, |span| span.start);
    let has = |part: &str| message.contains(part);
    let rest = text.get(start..).unwrap_or_default();
    let rest = rest.lines().next().unwrap_or_default().trim();
    let is_end = rest.is_empty() || rest.starts_with('#');
    let words = if has("duplicate key") {
        "this key is set twice"
    } else if has("cannot extend") || has("extend value") {
        "this key has a value already, so it must not be a table too"
    } else if has("unexpected key or value") {
        "there is something after the value; every key must be on its own line"
    } else if has("array table") {
        "the name of a list of tables must end with `]]`"
    } else if has("inline table") && (has("unclosed") || has("opening")) {
        "a table in braces must end with `}`"
    } else if has("unclosed table") {
        "the name of a table must end with `]`"
    } else if has("unclosed array") {
        "a list must end with `]`"
    } else if has("extra comma") {
        "there is an extra comma"
    } else if has("missing comma") {
        "a comma is missing"
    } else if has("no value") || has("missing value") || (has("must be quoted") && is_end) {
        "a value is missing after `=`"
    } else if has("must be quoted") {
        "a string must be in quotes"
    } else if has("extra `=`") || has("unexpected `=`") || has("extra assignment") {
        "there is an extra `=`"
    } else if has("missing assignment") || has("missing key") {
        "a key and a value must be written `key = value`"
    } else if (has("string") && has("expected `\"")) || has("expected `'") {
        "the closing quote of a string is missing"
    } else if has("escape") || has("string") {
        "a string has a character that must be escaped"
    } else if has("number") || has("integer") || has("float") || has("leading zero") {
        "this number is invalid"
    } else if has("date") || has("time") {
        "this date or time is invalid"
    } else if has("key") {
        "this key is invalid"
    } else if has("recursion") {
        "tables and lists must not be nested so deeply"
    } else {
        return general();
    };
    words.to_owned()
}

/// Returns the key whose value, or whose list element, is at `byte`.
fn key_before(text: &str, byte: usize) -> Option<&str> {
    let before = text.get(..byte)?;
    let (head, between) = before.rsplit_once('=')?;
    // If the text between is not the start of a value, no key belongs to this byte.
    if between.contains(['\n', '}']) && !between.trim_start().starts_with('[') {
        return None;
    }
    let head = head.trim_end().trim_end_matches(['"', '\'']);
    let start = head
        .rfind(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == '-'))
        .map_or(0, |last| {
            last + head
                .get(last..)
                .and_then(|rest| rest.chars().next())
                .map_or(1, char::len_utf8)
        });
    head.get(start..).filter(|key| !key.is_empty())
}

fn found_words(found: &str) -> String {
    let kinds = [
        ("map", "a table"),
        ("sequence", "a list"),
        ("integer", "a number"),
        ("floating", "a number"),
        ("boolean", "true or false"),
        ("string", "a string"),
        ("unit", "nothing"),
    ];
    let kind = kinds.iter().find(|(kind, _)| found.starts_with(kind));
    kind.map_or("this", |(_, words)| words).to_owned()
}

fn wanted_words(wanted: &str) -> String {
    let kinds = [
        ("a sequence", "a list"),
        ("struct ", "a table"),
        ("a map", "a table"),
        ("a table", wanted),
        ("a boolean", "true or false"),
        ("a character", "one character"),
        ("a string", "a string"),
        ("u", "a number that is not negative and not too large"),
        ("i", "a number that is not too large"),
        ("f", "a number"),
    ];
    let kind = kinds.iter().find(|(kind, _)| wanted.starts_with(kind));
    kind.map_or("of another kind", |(_, words)| words)
        .to_owned()
}

fn listed(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, wanted: &str) {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only the error is used")]
        struct Sample {
            name: String,
            tags: Option<Vec<String>>,
            count: Option<u8>,
            letter: Option<Letter>,
        }
        #[derive(Debug, serde::Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Letter {
            A,
            B,
        }
        let words = match toml::de::Deserializer::parse(text) {
            Ok(parsed) => {
                let error = <Sample as serde::Deserialize>::deserialize(parsed).unwrap_err();
                toml_words(text, error.message(), error.span())
            }
            Err(error) => toml_syntax_words(text, error.message(), error.span()),
        };
        assert_eq!(words, wanted, "{text}");
    }

    #[test]
    fn messages_of_the_deserialiser_become_sentences_about_the_file() {
        check("name = 1", "`name` must be a string, not a number");
        check(
            "name = 'a'\ntags = 'a'",
            "`tags` must be a list, not a string",
        );
        check(
            "name = 'a'\ntags = ['a', 1]",
            "`tags` must be a string, not a number",
        );
        check(
            "name = 'a'\ncount = 300",
            "`count` must be a number that is not negative and not too large, not 300",
        );
        check("tags = []", "`name` is missing");
        check(
            "name = 'a'\nnote = 1",
            "unknown key `note`; the keys here are `name`, `tags`, `count`, `letter`",
        );
        check(
            "name = 'a'\nletter = 'c'",
            "`letter` must be one of `a`, `b`, not `c`",
        );
    }

    #[test]
    fn syntax_errors_become_plain_sentences() {
        check("name = ", "a value is missing after `=`");
        check("name = a", "a string must be in quotes");
        check("name = \"a", "the closing quote of a string is missing");
        check("name = 'a'\nname = 'b'", "this key is set twice");
        check("tags = ['a'", "a list must end with `]`");
        check("[tags\n", "the name of a table must end with `]`");
    }
}
