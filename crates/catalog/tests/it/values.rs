//! Global ids and cut text, for any input.

use easel_catalog::{GlobalId, cut_text};
use proptest::prelude::*;

/// Cuts a text character by character, as a model.
fn cut_slowly(text: &str, max: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= max {
        return text.to_owned();
    }
    let room = max - 3;
    let mut end = room;
    for (index, character) in characters.iter().enumerate() {
        if *character == ' ' && index <= room {
            end = index;
        }
    }
    characters[..end].iter().collect::<String>() + "..."
}

proptest! {
    #[test]
    fn a_global_id_equals_its_parsed_parts_and_text(id: u64) {
        let id = GlobalId::from(id);
        prop_assert_eq!(GlobalId::new(id.shard(), id.local()), Ok(id));
        prop_assert_eq!(id.to_string().parse(), Ok(id));
        prop_assert_eq!(u128::from(id.shard()) * 10_u128.pow(13) + u128::from(id.local()), u128::from(id.get()));
    }

    #[test]
    fn a_global_id_has_the_parts_that_built_it(shard in 0..1_844_674_u64, local in 0..10_u64.pow(13)) {
        let id = GlobalId::new(shard, local).unwrap();
        prop_assert_eq!((id.shard(), id.local()), (shard, local));
    }

    #[test]
    fn text_is_cut_as_in_the_model(text in "[a é\u{1f393}\n]{0,40}", max in 3..30_usize) {
        let cut = cut_text(&text, max);
        prop_assert_eq!(cut.as_ref(), cut_slowly(&text, max));
        prop_assert!(cut.chars().count() <= max);
    }

    #[test]
    fn long_text_has_at_most_8192_characters_after_cutting(text in "([a-zé]{1,90} ?){90,200}") {
        let cut = cut_text(&text, easel_catalog::MAX_TEXT_CHARS);
        prop_assert!(cut.chars().count() <= 8192);
        prop_assert_eq!(cut.as_ref(), cut_slowly(&text, 8192));
    }
}
