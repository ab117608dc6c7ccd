//! Names: no two rooms define types of the same name, and a value is named for what it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use syn::visit::{self, Visit};
use syn::{Item, PatIdent};

use crate::files::sources;
use crate::sources::{Sources, is_for_tests};
use crate::workspace::{assert_none, metadata, room_of};

/// Type names that several rooms define, each with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// Rooms that read the answers which other rooms write. A type whose name ends in `Json` is the
/// form of one thing on the wire, so the writer and the reader may both define it.
const READERS: [&str; 2] = ["cli", "bench"];

/// Names that say nothing about a value.
const VAGUE: [&str; 7] = ["given", "it", "its", "kept", "of", "them", "told"];

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
            && !EXCEPTIONS
                .iter()
                .any(|(excepted, _reason)| excepted == name)
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
    let is_needed = |name: &str| definitions.get(name).is_some_and(|rooms| rooms.len() > 1);
    let unneeded = EXCEPTIONS.iter().filter(|(name, _reason)| !is_needed(name));
    assert_none(
        &unneeded
            .map(|(name, _reason)| format!("{name} needs no exception"))
            .collect::<Vec<_>>(),
    );
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

/// The vague names that a file binds.
#[derive(Default)]
struct VagueNames(Vec<String>);

impl<'ast> Visit<'ast> for VagueNames {
    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        let name = pattern.ident.to_string();
        if VAGUE.contains(&name.as_str()) {
            self.0.push(name);
        }
        visit::visit_pat_ident(self, pattern);
    }
}

fn vague_names(text: &str) -> Vec<String> {
    let mut names = VagueNames::default();
    names.visit_file(&syn::parse_file(text).unwrap());
    names.0
}

#[test]
fn every_value_is_named_for_what_it_is() {
    let mut breaches = Vec::new();
    for path in sources() {
        let names = vague_names(&fs::read_to_string(&path).unwrap());
        breaches.extend(
            names
                .iter()
                .map(|name| format!("{}: {name}", path.display())),
        );
    }
    assert_none(&breaches);
}

#[test]
fn a_vague_name_is_found_in_a_closure_a_let_and_a_parameter() {
    let text = "fn run(told: u8) { let kept = list.map(|it| it + 1); if let Some(of) = kept {} }";
    assert_eq!(vague_names(text), ["told", "kept", "it", "of"]);
}
