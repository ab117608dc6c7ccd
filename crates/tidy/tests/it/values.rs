//! Names of values: a value is named for what it is.

use std::fs;

use syn::PatIdent;
use syn::visit::{self, Visit};

use crate::files::sources;
use crate::workspace::assert_none;

/// Names that say nothing about a value.
const VAGUE: [&str; 7] = ["given", "it", "its", "kept", "of", "them", "told"];

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
