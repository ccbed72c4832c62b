//! The allowed dependencies between packages.

use std::collections::BTreeSet;

use super::tree::Tree;

/// A package of the workspace, its allowed dependencies in the workspace, and the reason for the limit.
struct Direction {
    package: &'static str,
    allowed: &'static [&'static str],
    reason: &'static str,
}

const fn may(package: &'static str, allowed: &'static [&'static str], reason: &'static str) -> Direction {
    Direction { package, allowed, reason }
}

/// The arrows of ARCHITECTURE.md. A package without a line here is not allowed at all, so that a new one has
/// to find its place first.
const DIRECTIONS: &[Direction] = &[
    may("accepted-models", &[], "the wire contract is published and must not bring the project with it"),
    may("lifecycle", &["accepted-models"], "decisions do no I/O, so they depend on no crate that does"),
    may("logging", &["accepted-models"], "a log line has no types of the programs that write it"),
    may("azure", &[], "the storage client knows no tasks and could serve another project"),
    may("storage", &["accepted-models", "azure", "lifecycle"], "a store makes no decisions"),
    may(
        "service",
        &["accepted-models", "azure", "lifecycle", "logging", "storage"],
        "shared code depends on neither the API nor the worker",
    ),
    may(
        "api",
        &["accepted-models", "azure", "lifecycle", "service", "storage"],
        "the API must run natively too, and runs no task",
    ),
    may(
        "worker",
        &["accepted-models", "azure", "lifecycle", "service", "storage"],
        "the worker must run natively too, and serves no client",
    ),
    may(
        "guest",
        &["azure", "service"],
        "adapters to WASI implement the traits of service and make no decisions",
    ),
    may("api-component", &["api", "guest", "service"], "a component is only an entry point"),
    may("worker-component", &["guest", "service", "worker"], "a component is only an entry point"),
    may("handler-messages", &[], "adapters know no part of the application"),
    may(
        "handler-protocol",
        &[],
        "a handler's side of the protocol shares no code with the worker's, nor its mistakes",
    ),
    may(
        "handler-adapter",
        &["handler-messages", "handler-protocol"],
        "an adapter serves any handler and knows no part of the application",
    ),
    may(
        "handler-adapter-progress",
        &["handler-messages", "handler-protocol"],
        "an adapter serves any handler and knows no part of the application",
    ),
    may("rust-http", &[], "an example is what a user of the project could write"),
    may("rust-typed", &[], "an example is what a user of the project could write"),
    may("wasi02", &[], "a component for the tests of the host stands for any component"),
    may(
        "test-world",
        &["accepted-models", "azure", "fake-azure", "lifecycle", "service", "storage"],
        "the surroundings of a program under test do not depend on the program",
    ),
    may("fake-azure", &[], "code shared with the client would hide the client's defects"),
    may("host", &[], "the host runs any Spin application"),
    may(
        "launcher",
        &["accepted-models", "azure", "lifecycle", "logging"],
        "the launcher needs only connection strings, the drain report, the pace and log lines",
    ),
    may("misbehaving-handler", &[], "a handler knows the protocol alone"),
    may("xtask", &[], "xtask is compiled before every command and must stay small"),
    may("e2e", &["xtask"], "end-to-end tests use programs and sockets, not the crates of the programs"),
    may(
        "simulation",
        &[
            "accepted-models",
            "api",
            "azure",
            "fake-azure",
            "host",
            "lifecycle",
            "service",
            "storage",
            "worker",
        ],
        "the simulator drives everything and is driven by nothing",
    ),
    may(
        "bench",
        &[
            "accepted-models",
            "api",
            "azure",
            "fake-azure",
            "host",
            "lifecycle",
            "service",
            "storage",
            "test-world",
            "worker",
        ],
        "the benchmark drives everything and is driven by nothing",
    ),
    may("floor", &[], "the component that a submission is compared with uses nothing of the product"),
    may("statistics", &[], "a handler knows its interface alone"),
    may(
        "openapi",
        &["accepted-models", "service"],
        "the document is generated from the types that it describes",
    ),
];

/// An outside crate, who may name it, and why no other package.
const OUTSIDE: [(&str, &[&str], &str); 3] = [
    (
        "spin-sdk",
        &[
            "guest",
            "floor",
            "handler-adapter",
            "handler-adapter-progress",
            "handler-messages",
            "misbehaving-handler",
            "rust-http",
            "rust-typed",
            "statistics",
        ],
        "only adapters use the SDK, so that everything else runs natively in tests",
    ),
    ("wasmtime", &["host", "simulation"], "wasmtime takes minutes to compile"),
    (
        "tokio",
        &["bench", "fake-azure", "host", "launcher", "simulation", "test-world"],
        "components have no threads and none of tokio's sockets",
    ),
];

/// What runs in production. Nothing below it may be an emulator.
const SHIPPED: [&str; 5] =
    ["api-component", "handler-adapter", "handler-adapter-progress", "worker-component", "launcher"];

/// Checks the direction of dependencies.
pub(super) fn direction(tree: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, package) in &tree.packages {
        let inside = package.normal.iter().filter(|name| tree.packages.contains_key(*name));
        match DIRECTIONS.iter().find(|direction| direction.package == name) {
            Some(direction) => {
                for other in inside.filter(|other| !direction.allowed.contains(&other.as_str())) {
                    wrong.push(format!("{name} must not depend on {other}: {}", direction.reason));
                }
            }
            None => wrong.push(format!(
                "{name} has no place in the dependency direction: add it to {} and to ARCHITECTURE.md",
                file!()
            )),
        }
        for (outside, allowed, reason) in OUTSIDE {
            let names_it = |set: &BTreeSet<String>| {
                set.iter()
                    .any(|name| name == outside || (outside == "wasmtime" && name.starts_with("wasmtime-")))
            };
            // A test may drive what the package itself may not know.
            let names = names_it(&package.normal) || (outside != "tokio" && names_it(&package.other));
            if names && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{name} must not name {outside}: {reason}"));
            }
        }
    }
    for shipped in SHIPPED {
        if below(tree, shipped).contains("fake-azure") {
            wrong.push(format!("{shipped} reaches fake-azure: an emulator must not be shipped"));
        }
    }
    for component in crate::artefacts::ONLY_WASM {
        let Some(package) = tree.packages.get(component) else { continue };
        if !package.crate_types.iter().eq(["cdylib"]) {
            wrong.push(format!(
                "{component} must be a cdylib alone: with an rlib the native tests fail to link"
            ));
        }
        for (name, other) in &tree.packages {
            if other.normal.contains(component) || other.other.contains(component) {
                wrong.push(format!("{name} must not depend on {component}: nothing depends on a component"));
            }
        }
    }
    wrong
}

/// Checks that every package of the lists above exists: a rule for one that does not exist checks nothing.
pub(super) fn existence(tree: &Tree) -> Vec<String> {
    let outside = OUTSIDE.iter().flat_map(|(_, allowed, _)| allowed.iter().copied());
    let named: BTreeSet<&str> =
        DIRECTIONS.iter().map(|direction| direction.package).chain(outside).chain(SHIPPED).collect();
    let gone = named.into_iter().filter(|name| !tree.packages.contains_key(*name));
    gone.map(|name| format!("{name} is no package of the workspace: remove it from {}", file!())).collect()
}

/// Everything of the workspace that ends up in a package.
fn below(tree: &Tree, package: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![package.to_owned()];
    while let Some(name) = open.pop() {
        let Some(package) = tree.packages.get(&name) else { continue };
        if found.insert(name) {
            open.extend(package.normal.iter().cloned());
        }
    }
    found
}

/// Checks that every package says how it may be used.
pub(super) fn licence(tree: &Tree) -> Vec<String> {
    let without =
        tree.packages.iter().filter(|(_, package)| package.licence.as_deref() != Some("Apache-2.0"));
    without.map(|(name, _)| format!("{name} needs `license.workspace = true` in its Cargo.toml")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tree::Package;
    use super::*;

    fn package(normal: &[&str]) -> Package {
        Package {
            licence: Some("Apache-2.0".to_owned()),
            normal: normal.iter().map(|name| (*name).to_owned()).collect(),
            crate_types: BTreeSet::from(["lib".to_owned()]),
            ..Package::default()
        }
    }

    fn tree(packages: &[(&str, Package)]) -> Tree {
        let packages = packages.iter().map(|(name, package)| ((*name).to_owned(), package.clone())).collect();
        Tree { packages, ..Tree::default() }
    }

    fn component(normal: &[&str]) -> Package {
        Package { crate_types: BTreeSet::from(["cdylib".to_owned()]), ..package(normal) }
    }

    #[test]
    fn intended_direction_is_accepted() {
        let packages = [
            ("accepted-models", package(&["serde"])),
            ("azure", package(&["http"])),
            ("lifecycle", package(&["accepted-models"])),
            ("storage", package(&["accepted-models", "azure", "lifecycle"])),
            ("service", package(&["accepted-models", "storage"])),
            ("api", package(&["lifecycle", "service", "storage"])),
            ("guest", package(&["service", "spin-sdk"])),
            ("api-component", component(&["api", "guest", "service"])),
            ("host", package(&["tokio", "wasmtime", "wasmtime-wasi"])),
        ];
        assert_eq!(direction(&tree(&packages)), Vec::<String>::new());
    }

    #[test]
    fn every_wrong_arrow_is_named_with_its_reason() {
        let table = [
            (
                vec![("azure", package(&["accepted-models"])), ("accepted-models", package(&[]))],
                "knows no tasks",
            ),
            (vec![("service", package(&["spin-sdk"]))], "must not name spin-sdk"),
            (vec![("launcher", package(&["wasmtime-wasi"]))], "must not name wasmtime"),
            (vec![("service", package(&["tokio"]))], "must not name tokio"),
            (vec![("novelty", package(&[]))], "no place"),
            (vec![("api-component", package(&[]))], "cdylib alone"),
            (
                vec![("api-component", component(&[])), ("host", package(&["api-component"]))],
                "nothing depends on",
            ),
        ];
        for (packages, words) in table {
            let wrong = direction(&tree(&packages)).join("\n");
            assert!(wrong.contains(words), "{words}: {wrong}");
        }
    }

    #[test]
    fn emulator_below_a_shipped_package_is_found() {
        let packages = [
            ("launcher", package(&["azure"])),
            ("azure", package(&["fake-azure"])),
            ("fake-azure", package(&[])),
        ];
        let wrong = direction(&tree(&packages)).join("\n");
        assert!(wrong.contains("launcher reaches fake-azure"), "{wrong}");
    }

    #[test]
    fn rule_for_a_package_that_does_not_exist_is_named() {
        let packages = DIRECTIONS.iter().map(|direction| (direction.package, package(&[])));
        let mut whole = tree(&packages.collect::<Vec<_>>());
        assert_eq!(existence(&whole), Vec::<String>::new());
        whole.packages.remove("launcher");
        let wrong = existence(&whole).join("\n");
        assert!(wrong.starts_with("launcher is no package"), "{wrong}");
    }

    #[test]
    fn package_without_licence_is_named() {
        let bare = Package { licence: None, ..package(&[]) };
        assert_eq!(licence(&tree(&[("azure", bare), ("host", package(&[]))])).len(), 1);
    }
}
