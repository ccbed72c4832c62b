//! Files of one crate do not import each other in a circle.
//!
//! Compared are the modules side by side in one folder, each with all modules below it. A module may use what its
//! parent defines, because it is a part of it, and a parent may use its parts.

use std::collections::{BTreeMap, BTreeSet};

use super::imports::{Path, imports};
use super::tree::Tree;

/// How many re-exports are followed to the file that defines a name.
const MAX_RE_EXPORTS: usize = 4;

/// The modules of one crate: what each imports, by its path below the crate's root.
type Modules = BTreeMap<Path, Vec<Path>>;

/// What uses what among the modules of one folder.
type Uses = BTreeMap<String, BTreeSet<String>>;

/// Checks every crate.
pub(super) fn check(tree: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    for (package, modules) in crates(tree) {
        wrong.extend(circles(&modules).into_iter().map(|circle| {
            format!(
                "{package}: {circle} use each other in a circle; move what they share to a file of its own"
            )
        }));
    }
    wrong
}

/// The modules of every crate with a `src` folder. Tests may use anything and are left out.
fn crates(tree: &Tree) -> BTreeMap<&str, Modules> {
    let mut crates: BTreeMap<&str, Modules> = BTreeMap::new();
    for (path, text) in tree.text(&[".rs"]) {
        let Some((package, file)) = path.split_once("/src/") else { continue };
        let module: Path = file
            .trim_end_matches(".rs")
            .split('/')
            .filter(|part| !matches!(*part, "lib" | "main" | "mod"))
            .map(str::to_owned)
            .collect();
        let apart = module.iter().any(|part| part == "tests") || file.starts_with("bin/");
        if !apart {
            // The library and the program of a crate have one root here.
            crates.entry(package).or_default().entry(module).or_default().extend(imports(text));
        }
    }
    crates
}

/// The circles of one crate, each as its modules in order.
fn circles(modules: &Modules) -> Vec<String> {
    let mut folders: BTreeMap<&[String], Uses> = BTreeMap::new();
    for (module, imports) in modules {
        for import in imports {
            let Some(target) = file_of(modules, module, import, MAX_RE_EXPORTS) else { continue };
            let shared = module.iter().zip(target).take_while(|(a, b)| a == b).count();
            // Otherwise one is above the other.
            if let (Some(user), Some(used)) = (module.get(shared), target.get(shared)) {
                let folder = module.get(..shared).unwrap_or_default();
                folders.entry(folder).or_default().entry(user.clone()).or_default().insert(used.clone());
            }
        }
    }
    let mut found = Vec::new();
    for (folder, uses) in folders {
        let mut known = BTreeSet::new();
        for start in uses.keys() {
            if known.contains(start) {
                continue;
            }
            if let Some(circle) = shortest_circle(&uses, start) {
                let names =
                    circle.iter().map(|name| [folder, std::slice::from_ref(name)].concat().join("::"));
                found.push(names.collect::<Vec<_>>().join(", "));
                known.extend(circle);
            }
        }
    }
    found
}

/// The module that defines what `module` imports: none for what comes from another crate.
fn file_of<'a>(modules: &'a Modules, module: &[String], import: &Path, left: usize) -> Option<&'a Path> {
    let path = absolute(modules, module, import)?;
    let length =
        (0..=path.len()).rev().find(|length| path.get(..*length).is_some_and(|p| modules.contains_key(p)))?;
    let (target, imports) = modules.get_key_value(path.get(..length)?)?;
    let name = path.get(length);
    let re_export = imports.iter().find(|import| name.is_some() && import.last() == name);
    re_export
        .filter(|_| left > 0)
        .and_then(|import| file_of(modules, target, import, left - 1))
        .or(Some(target))
}

/// The import's path from the root of the crate.
fn absolute(modules: &Modules, module: &[String], import: &Path) -> Option<Path> {
    let (first, rest) = import.split_first()?;
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => Some([module, rest].concat()),
        "super" => {
            let ups = import.iter().take_while(|part| *part == "super").count();
            let folder = module.get(..module.len().checked_sub(ups)?)?;
            Some([folder, import.get(ups..)?].concat())
        }
        _ => {
            let child = [module, import.as_slice()].concat();
            modules.contains_key(child.get(..=module.len())?).then_some(child)
        }
    }
}

/// The shortest way from a module back to itself.
fn shortest_circle(uses: &Uses, start: &String) -> Option<Vec<String>> {
    let mut ways = vec![vec![start.clone()]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in way.last().and_then(|last| uses.get(last)).into_iter().flatten() {
                if next == start {
                    return Some(way);
                }
                if seen.insert(next.clone()) {
                    longer.push([way.as_slice(), std::slice::from_ref(next)].concat());
                }
            }
        }
        ways = longer;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files))
    }

    #[test]
    fn circle_of_two_files_is_named() {
        let found = wrong(&[
            ("crates/a/src/lib.rs", "mod x; mod y;"),
            ("crates/a/src/x.rs", "use crate::y::Y;"),
            ("crates/a/src/y.rs", "fn f() { super::x::g() }"),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("crates/a: x, y use each other in a circle"), "{found:?}");
    }

    #[test]
    fn circle_through_folders_is_found() {
        let found = wrong(&[
            ("a/src/x/mod.rs", "mod deep;"),
            ("a/src/x/deep.rs", "use crate::{other, y::{Y, Z}};"),
            ("a/src/y.rs", "use crate::z;"),
            ("a/src/z.rs", "use crate::x::X as Renamed;"),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("a: x, y, z "), "{found:?}");
        let inner = [("a/src/x/p.rs", "use super::q;"), ("a/src/x/q.rs", "use crate::x::p;")];
        assert!(wrong(&inner)[0].starts_with("a: x::p, x::q "));
    }

    #[test]
    fn re_export_is_followed_to_the_file() {
        let root = ("a/src/lib.rs", "mod x; mod y; pub use x::X; pub use crate::y::Y;");
        let found = wrong(&[root, ("a/src/x.rs", "use crate::Y;"), ("a/src/y.rs", "use super::X;")]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(wrong(&[root, ("a/src/x.rs", "use crate::Y;"), ("a/src/y.rs", "")]).is_empty());
    }

    #[test]
    fn parents_and_tests_are_no_circle() {
        let found = wrong(&[
            ("a/src/x.rs", "mod part; use part::P; use crate::y::Y; struct X;"),
            ("a/src/x/part.rs", "use super::X; use crate::Root;"),
            ("a/src/y.rs", "#[cfg(test)] mod tests { use crate::x::X; }"),
            ("a/src/y/tests.rs", "use crate::x::X;"),
            ("a/src/main.rs", "use a::x; mod x;"),
            ("b/src/y.rs", "use crate::x;"),
        ]);
        assert_eq!(found, Vec::<String>::new());
    }
}
