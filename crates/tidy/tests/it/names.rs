//! One type name for one thing: no two rooms define types of the same name.

use std::collections::{BTreeMap, BTreeSet};

use syn::Item;

use crate::sources::{Sources, is_for_tests};
use crate::workspace::{assert_none, metadata, room_of};

/// Rooms that read the answers which other rooms write. A type whose name ends in `Json` is the
/// form of one thing on the wire, so the writer and the reader may both define it.
const READERS: [&str; 2] = ["cli", "bench"];

/// For each type name, the rooms that define it.
type Definitions = BTreeMap<String, BTreeSet<String>>;

fn add(room: &str, sources: &Sources, definitions: &mut Definitions) {
    for item in sources.modules.values().flat_map(|file| &file.items) {
        let (name, attributes) = match item {
            Item::Struct(item) => (&item.ident, &item.attrs),
            Item::Enum(item) => (&item.ident, &item.attrs),
            Item::Trait(item) => (&item.ident, &item.attrs),
            Item::Type(item) => (&item.ident, &item.attrs),
            _ => continue,
        };
        if !is_for_tests(attributes) {
            let rooms = definitions.entry(name.to_string()).or_default();
            rooms.insert(room.to_owned());
        }
    }
}

fn breaches(definitions: &Definitions) -> Vec<String> {
    let is_breach = |(name, rooms): &(&String, &BTreeSet<String>)| {
        let writers = rooms.iter().filter(|room| {
            let reads = READERS.contains(&room.as_str()) && name.ends_with("Json");
            !reads
        });
        writers.count() > 1
    };
    definitions
        .iter()
        .filter(is_breach)
        .map(|(name, rooms)| {
            let rooms: Vec<_> = rooms.iter().map(String::as_str).collect();
            format!("{name} is defined in {}", rooms.join(", "))
        })
        .collect()
}

#[test]
fn no_two_rooms_define_types_of_one_name() {
    let mut definitions = Definitions::new();
    for package in metadata().packages {
        let room = room_of(&package.name).unwrap().to_owned();
        add(&room, &Sources::read(&package), &mut definitions);
    }
    assert!(definitions.contains_key("Offset"), "no types were found");
    assert_none(&breaches(&definitions));
}

#[test]
fn a_name_with_two_meanings_is_found() {
    let mut definitions = Definitions::new();
    let files = [
        (
            "log",
            "pub struct Step; struct StepJson; #[cfg(test)] struct Own;",
        ),
        ("deliver", "enum Step { Wait } struct Own;"),
        ("cli", "struct StepJson;"),
    ];
    for (room, text) in files {
        add(room, &Sources::parse(&[("", text)]), &mut definitions);
    }
    assert_eq!(breaches(&definitions), ["Step is defined in deliver, log"]);
}
