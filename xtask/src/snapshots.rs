//! `cargo xtask snapshots`: writes the files that tests compare with the code.

use anyhow::Result;

use crate::artefacts::{ONLY_WASM, components};
use crate::command::{cargo, say, succeed};
use crate::test::FEATURES;

/// Package and integration test of each snapshot.
const TESTS: [(&str, &str); 4] =
    [("accepted-models", "contract"), ("api", "routes"), ("openapi", "document"), ("worker", "drains")];

/// The test that writes the host calls of the components in `docs/performance.md`.
const HOST_CALLS: &str = "host_calls::each_operation_makes_the_documented_calls_to_the_host";

/// Runs the tests that own snapshots, and has them written.
///
/// # Errors
/// When a component cannot be built, or a test fails for another reason.
pub(crate) fn run() -> Result<()> {
    let mut tests = cargo();
    tests.args(["test", "--quiet"]).env("UPDATE_SNAPSHOTS", "1");
    for (package, test) in TESTS {
        tests.args(["--package", package, "--test", test]);
    }
    succeed(&mut tests)?;
    components()?;
    say("counting the calls of the components to the host");
    let mut host_calls = cargo();
    // The workspace as `cargo xtask test` compiles it: the host alone would compile its engine again.
    host_calls.args(["test", "--quiet", "--workspace", "--exclude", "e2e", "--exclude", "xtask"]);
    for component in ONLY_WASM {
        host_calls.args(["--exclude", component]);
    }
    host_calls.args(FEATURES).args(["--test", "components", "--", "--exact", HOST_CALLS]);
    succeed(host_calls.env("UPDATE_SNAPSHOTS", "1"))
}
