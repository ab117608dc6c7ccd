//! The source files of a room as syntax trees, by module.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use cargo_metadata::Package;
use syn::{Attribute, Item, UseTree};

use crate::workspace::folder_of;

/// The path of a module inside its crate, such as `["account", "journal"]`; empty for the root.
pub(crate) type ModulePath = Vec<String>;

/// The modules of a room that are built without tests.
pub(crate) struct Sources {
    pub(crate) modules: BTreeMap<ModulePath, syn::File>,
}

impl Sources {
    /// Parses the files under `src` of `package`.
    pub(crate) fn read(package: &Package) -> Self {
        let mut modules = BTreeMap::new();
        read_folder(
            &folder_of(package).join("src"),
            &mut Vec::new(),
            &mut modules,
        );
        Self { modules }.without_tests()
    }

    /// Parses files that are given as (module path with `/`, text).
    pub(crate) fn parse(files: &[(&str, &str)]) -> Self {
        let module = |(path, text): &(&str, &str)| {
            let path = path.split('/').filter(|part| !part.is_empty());
            let path = path.map(str::to_owned).collect();
            (path, syn::parse_file(text).unwrap())
        };
        Self {
            modules: files.iter().map(module).collect(),
        }
        .without_tests()
    }

    /// Removes modules that their parent declares for tests only.
    fn without_tests(mut self) -> Self {
        let mut tests = BTreeSet::new();
        for (path, file) in &self.modules {
            for item in &file.items {
                if let Item::Mod(module) = item
                    && is_for_tests(&module.attrs)
                {
                    let mut test = path.clone();
                    test.push(module.ident.to_string());
                    tests.insert(test);
                }
            }
        }
        self.modules
            .retain(|path, _file| !tests.iter().any(|test| path.starts_with(test)));
        self
    }
}

fn read_folder(
    folder: &Path,
    path: &mut ModulePath,
    modules: &mut BTreeMap<ModulePath, syn::File>,
) {
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
        if file.is_dir() {
            path.push(stem);
            read_folder(&file, path, modules);
            path.pop();
        } else if file.extension().is_some_and(|extension| extension == "rs") {
            let mut module = path.clone();
            if !path.is_empty() || !["lib", "main"].contains(&stem.as_str()) {
                module.push(stem);
            }
            let text = fs::read_to_string(&file).unwrap();
            let parsed = syn::parse_file(&text);
            let parsed = parsed.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            modules.insert(module, parsed);
        }
    }
}

/// True for an item with `#[cfg(test)]`.
pub(crate) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .meta
                .require_list()
                .is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

/// The paths that a `use` names, each from its first segment to the imported name.
pub(crate) fn paths_of(tree: &UseTree) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    collect(tree, &mut Vec::new(), &mut paths);
    paths
}

fn collect(tree: &UseTree, prefix: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    let mut add = |name: String| paths.push([prefix.as_slice(), &[name]].concat());
    match tree {
        UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            collect(&path.tree, prefix, paths);
            prefix.pop();
        }
        UseTree::Name(name) => add(name.ident.to_string()),
        UseTree::Rename(rename) => add(rename.ident.to_string()),
        UseTree::Glob(_glob) => add("*".to_owned()),
        UseTree::Group(group) => {
            for tree in &group.items {
                collect(tree, prefix, paths);
            }
        }
    }
}
