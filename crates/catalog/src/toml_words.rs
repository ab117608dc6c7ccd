//! Says in plain words what is wrong with a TOML file.
//!
//! The words of a parser ("invalid type: map, expected a sequence") speak of the program that reads
//! the file, not of the file. This translates them; what it does not know becomes a general
//! sentence, so that no parser's own words reach a user.

use std::ops::Range;

/// What is wrong with a value, for a fault that a deserialiser reports in `message` at `span` of
/// `text`. A message in other words than a deserialiser's is given back as it is.
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
        let literal = names
            .first()
            .filter(|_| message.starts_with("invalid value"));
        let found = literal.map_or_else(|| found_words(found), |literal| (*literal).to_owned());
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
    "this is not valid TOML".to_owned()
}

/// What is wrong with the syntax, for a fault that the parser reports in `message` at `span` of
/// `text`.
pub fn toml_syntax_words(text: &str, message: &str, span: Option<Range<usize>>) -> String {
    let start = span.map_or(0, |span| span.start);
    let has = |part: &str| message.contains(part);
    let rest = text.get(start..).unwrap_or_default();
    let rest = rest.lines().next().unwrap_or_default().trim();
    let is_end = rest.is_empty() || rest.starts_with('#');
    let words = if has("duplicate key") {
        "this key is set twice"
    } else if has("cannot extend") || has("extend value") {
        "this key has a value already, so it cannot be a table too"
    } else if has("unexpected key or value") {
        "something stands behind the value; every key must be on a line of its own"
    } else if has("array table") {
        "the name of a list of tables must end with `]]`"
    } else if has("inline table") && (has("unclosed") || has("opening")) {
        "a table in braces must end with `}`"
    } else if has("unclosed table") {
        "the name of a table must end with `]`"
    } else if has("unclosed array") {
        "a list must end with `]`"
    } else if has("extra comma") {
        "there is a comma too many"
    } else if has("missing comma") {
        "a comma is missing"
    } else if has("no value") || has("missing value") || (has("must be quoted") && is_end) {
        "a value is missing after `=`"
    } else if has("must be quoted") {
        "a string must be in quotes"
    } else if has("extra `=`") || has("unexpected `=`") || has("extra assignment") {
        "there is an `=` too many"
    } else if has("missing assignment") || has("missing key") {
        "a key and a value must be written `key = value`"
    } else if (has("string") && has("expected `\"")) || has("expected `'") {
        "the closing quote of a string is missing"
    } else if has("escape") || has("string") {
        "a string holds a character that must be written as an escape"
    } else if has("number") || has("integer") || has("float") || has("leading zero") {
        "this is not a valid number"
    } else if has("date") || has("time") {
        "this is not a valid date or time"
    } else if has("key") {
        "this is not a valid key"
    } else if has("recursion") {
        "tables and lists are nested too deeply"
    } else {
        return general();
    };
    words.to_owned()
}

/// The key whose value, or the list whose element, is at `byte`.
fn key_before(text: &str, byte: usize) -> Option<&str> {
    let before = text.get(..byte)?;
    let (head, between) = before.rsplit_once('=')?;
    // Anything but the beginning of a value means that no key stands before this byte.
    if between.contains(['\n', '}']) && !between.trim_start().starts_with('[') {
        return None;
    }
    let head = head.trim_end().trim_end_matches(['"', '\'']);
    let start = head
        .rfind(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == '-'))
        .map_or(0, |last| {
            last + head
                .get(last..)
                .and_then(|it| it.chars().next())
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
        #[expect(dead_code, reason = "only the fault is looked at")]
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
        let said = match toml::de::Deserializer::parse(text) {
            Ok(parsed) => {
                let error = <Sample as serde::Deserialize>::deserialize(parsed).unwrap_err();
                toml_words(text, error.message(), error.span())
            }
            Err(error) => toml_syntax_words(text, error.message(), error.span()),
        };
        assert_eq!(said, wanted, "{text}");
    }

    #[test]
    fn what_a_deserialiser_says_becomes_a_sentence_about_the_file() {
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
    fn what_a_parser_says_of_syntax_becomes_plain() {
        check("name = ", "a value is missing after `=`");
        check("name = a", "a string must be in quotes");
        check("name = \"a", "the closing quote of a string is missing");
        check("name = 'a'\nname = 'b'", "this key is set twice");
        check("tags = ['a'", "a list must end with `]`");
        check("[tags\n", "the name of a table must end with `]`");
    }
}
