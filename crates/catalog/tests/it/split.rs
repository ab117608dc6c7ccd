//! Promises of batch splitting for any input.

use easel_catalog::{Limits, split_array, split_lines};
use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::json::{Node, damage, node, spaces};

proptest! {
    #[test]
    fn the_elements_equal_those_of_another_parser(
        nodes in prop::collection::vec(node(), 0..6),
        spaces in spaces(),
    ) {
        let input = Node::Array(nodes).spaced(&spaces);
        let wanted: Vec<&RawValue> = serde_json::from_str(&input).expect("an array");
        let wanted: Vec<_> = wanted.into_iter().map(|raw| raw.get().as_bytes()).collect();
        let found: Result<Vec<_>, _> = split_array(input.as_bytes(), &Limits::default()).collect();
        prop_assert_eq!(found, Ok(wanted));
    }

    #[test]
    fn the_grammar_equals_that_of_another_parser(
        node in node(),
        spaces in spaces(),
        damages in prop::collection::vec(damage(), 0..4),
    ) {
        let mut bytes = Node::Array(vec![node]).spaced(&spaces).into_bytes();
        for damage in &damages {
            damage.apply(&mut bytes);
        }
        check_grammar(&bytes)?;
    }

    #[test]
    fn the_grammar_equals_that_of_another_parser_for_any_tokens(
        tokens in prop::collection::vec(
            prop::sample::select(vec![
                "[", "]", "{", "}", ",", ":", " ", "\n", "\"", "\"a\"", "\"\\", "\\u00e9", "\u{1}", "\u{c}",
                "-", "0", "1", ".", "e", "E", "+", "true", "false", "null", "é",
            ]),
            0..12,
        ),
    ) {
        check_grammar(format!("[{}]", tokens.concat()).as_bytes())?;
    }

    #[test]
    fn the_grammar_equals_that_of_another_parser_for_any_text(text in "\\PC{0,40}") {
        check_grammar(format!("[{text}]").as_bytes())?;
    }

    #[test]
    fn lines_end_at_newlines(
        lines in prop::collection::vec(("[ \ta{}\r]{0,6}", any::<bool>()), 0..12),
    ) {
        let input: Vec<_> = lines
            .iter()
            .map(|(line, crlf)| if *crlf { format!("{line}\r") } else { line.clone() })
            .collect();
        let input = input.join("\n");
        let wanted: Vec<_> = input
            .split('\n')
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
            .map(|(index, line)| (index + 1, line.strip_suffix('\r').unwrap_or(line).as_bytes()))
            .collect();
        prop_assert_eq!(split_lines(input.as_bytes()).collect::<Vec<_>>(), wanted);
    }
}

/// Checks that `split_array` accepts `bytes` exactly if the other parser does.
fn check_grammar(bytes: &[u8]) -> Result<(), TestCaseError> {
    let limits = Limits {
        max_depth: usize::MAX,
        ..Limits::default()
    };
    let found: Result<Vec<_>, _> = split_array(bytes, &limits).collect();
    let wanted = serde_json::from_slice::<Vec<IgnoredAny>>(bytes);
    prop_assert_eq!(
        found.is_ok(),
        wanted.is_ok(),
        "{:?} and {:?}: {}",
        found,
        wanted.err(),
        String::from_utf8_lossy(bytes)
    );
    Ok(())
}
