//! No circles of files: what a file uses does not use the file, directly or through others.
//!
//! The rule holds among the files and folders of one folder. A file `foo.rs` and its folder `foo/`
//! are one noun, so they may use each other.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};
use syn::{Item, ItemMod, ItemUse, Visibility};

use crate::sources::{ModulePath, Sources, is_for_tests, paths_of};
use crate::workspace::{assert_none, metadata, room_of};

/// Where the re-exports of a room lead: the path of the name, and the module that defines it.
type Reexports = BTreeMap<ModulePath, ModulePath>;

/// For each module, the modules that it uses, each with one path that shows it.
type Uses = BTreeMap<ModulePath, BTreeMap<ModulePath, String>>;

/// Collects the paths in a file that may lead to another file of the room.
#[derive(Default)]
struct Paths(Vec<Vec<String>>);

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.0.extend(paths_of(&item.tree));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter().map(|part| part.ident.to_string());
        self.0.push(segments.collect());
        visit::visit_path(self, path);
    }
}

/// The absolute path of `path` as `module` writes it; `None` when it leads outside of the room.
fn absolute(sources: &Sources, module: &[String], path: &[String]) -> Option<ModulePath> {
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => Some([module, rest].concat()),
        "super" => {
            let (_last, parent) = module.split_last()?;
            match rest.first().map(String::as_str) {
                Some("super") => absolute(sources, parent, rest),
                _ => Some([parent, rest].concat()),
            }
        }
        _ => {
            let child = [module, std::slice::from_ref(first)].concat();
            let is_child = sources.modules.contains_key(&child);
            is_child.then(|| [module, path].concat())
        }
    }
}

/// The innermost module that `path` goes through.
fn innermost(sources: &Sources, path: &[String]) -> Option<ModulePath> {
    let lengths = (1..=path.len()).rev();
    let mut prefixes = lengths.filter_map(|length| path.get(..length));
    prefixes
        .find(|prefix| sources.modules.contains_key(*prefix))
        .map(<[String]>::to_vec)
}

/// The module that defines what `path` names.
fn defining_module(
    sources: &Sources,
    reexports: &Reexports,
    path: &[String],
) -> Option<ModulePath> {
    let prefixes = (1..=path.len())
        .rev()
        .filter_map(|length| path.get(..length));
    for prefix in prefixes {
        // A module goes before a function of the same name that its room re-exports.
        if sources.modules.contains_key(prefix) {
            return Some(prefix.to_vec());
        }
        if let Some(target) = reexports.get(prefix) {
            return Some(target.clone());
        }
    }
    None
}

fn reexports(sources: &Sources) -> Reexports {
    let mut reexports = Reexports::new();
    for (module, file) in &sources.modules {
        for item in &file.items {
            let Item::Use(item) = item else { continue };
            if matches!(item.vis, Visibility::Inherited) {
                continue;
            }
            for path in paths_of(&item.tree) {
                let Some(target) = absolute(sources, module, &path) else {
                    continue;
                };
                let (Some(name), Some(target)) = (path.last(), innermost(sources, &target)) else {
                    continue;
                };
                reexports.insert(
                    [module.as_slice(), std::slice::from_ref(name)].concat(),
                    target,
                );
            }
        }
    }
    reexports
}

fn uses(sources: &Sources) -> Uses {
    let reexports = reexports(sources);
    let mut uses = Uses::new();
    for (module, file) in &sources.modules {
        let mut paths = Paths::default();
        paths.visit_file(file);
        let targets = uses.entry(module.clone()).or_default();
        for path in paths.0 {
            let Some(target) = absolute(sources, module, &path) else {
                continue;
            };
            let target = defining_module(sources, &reexports, &target);
            if let Some(target) = target.filter(|target| target != module) {
                targets.entry(target).or_insert_with(|| path.join("::"));
            }
        }
    }
    uses
}

/// The circles among the children of one folder after another, each as a text.
fn circles(sources: &Sources) -> Vec<String> {
    let uses = uses(sources);
    let folders: BTreeSet<_> = sources
        .modules
        .keys()
        .flat_map(|module| (0..module.len()).filter_map(|length| module.get(..length)))
        .collect();
    folders
        .into_iter()
        .flat_map(|folder| circles_in(folder, &uses))
        .collect()
}

fn circles_in(folder: &[String], uses: &Uses) -> Vec<String> {
    let child = |module: &ModulePath| -> Option<String> {
        module.starts_with(folder).then_some(())?;
        module.get(folder.len()).cloned()
    };
    let mut arrows: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (module, targets) in uses {
        for (target, path) in targets {
            if let (Some(from), Some(to)) = (child(module), child(target))
                && from != to
            {
                let shown = format!("{} uses {path}", module.join("/"));
                arrows.entry(from).or_default().entry(to).or_insert(shown);
            }
        }
    }
    let mut found = Vec::new();
    // Files that are on no circle, or on one that was found.
    let mut done = BTreeSet::new();
    for start in arrows.keys() {
        if let Some(circle) = circle_through(start, &arrows, &done) {
            done.extend(circle.iter().map(|(from, _shown)| from.clone()));
            let shown: Vec<_> = circle.into_iter().map(|(_from, shown)| shown).collect();
            found.push(shown.join("; "));
        }
        done.insert(start.clone());
    }
    found
}

/// A shortest way from `start` back to it, by (file, the use that leads on), if there is one.
fn circle_through(
    start: &String,
    arrows: &BTreeMap<String, BTreeMap<String, String>>,
    done: &BTreeSet<String>,
) -> Option<Vec<(String, String)>> {
    let mut ways = vec![(start.clone(), Vec::new())];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for (at, way) in ways {
            for (to, shown) in arrows.get(&at).into_iter().flatten() {
                let mut way: Vec<(String, String)> = way.clone();
                way.push((at.clone(), shown.clone()));
                if to == start {
                    return Some(way);
                }
                if !done.contains(to) && seen.insert(to.clone()) {
                    longer.push((to.clone(), way));
                }
            }
        }
        ways = longer;
    }
    None
}

#[test]
fn no_room_has_a_circle_of_files() {
    let mut breaches = Vec::new();
    for package in metadata().packages {
        let room = room_of(&package.name).unwrap().to_owned();
        let circles = circles(&Sources::read(&package));
        breaches.extend(
            circles
                .into_iter()
                .map(|circle| format!("{room}: {circle}")),
        );
    }
    assert_none(&breaches);
}

#[test]
fn a_circle_is_found_through_a_reexport_and_a_folder() {
    let sources = Sources::parse(&[
        (
            "",
            "mod door; mod room; mod lane; pub use lane::work::Lane;",
        ),
        ("door", "use crate::room::Room;"),
        ("room", "fn run() { crate::Lane::run() }"),
        ("lane", "mod work;"),
        ("lane/work", "use super::super::door;"),
    ]);
    assert_eq!(
        circles(&sources),
        [
            "door uses crate::room::Room; room uses crate::Lane::run; lane/work uses super::super::door"
        ]
    );
}

#[test]
fn a_file_and_its_folder_are_no_circle_and_tests_do_not_count() {
    let sources = Sources::parse(&[
        ("", "mod lane; mod room; #[cfg(test)] mod checks;"),
        ("lane", "mod work; use work::Work; pub struct Lane;"),
        ("lane/work", "use super::Lane; pub struct Work;"),
        ("room", "#[cfg(test)] mod tests { use crate::lane::Lane; }"),
        ("checks", "use crate::lane::Lane;"),
    ]);
    assert_eq!(circles(&sources), <[&str; 0]>::default());
}
