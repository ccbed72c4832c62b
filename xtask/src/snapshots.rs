//! `cargo xtask snapshots`: writes the files that tests compare with the code.

use anyhow::Result;

use crate::command::{cargo, succeed};

/// Package and integration test of each snapshot.
const TESTS: [(&str, &str); 3] =
    [("accepted-models", "contract"), ("api", "routes"), ("openapi", "document")];

/// Runs the tests that own snapshots, and has them written.
///
/// # Errors
/// When a test fails for another reason.
pub(crate) fn run() -> Result<()> {
    let mut tests = cargo();
    tests.args(["test", "--quiet"]).env("UPDATE_SNAPSHOTS", "1");
    for (package, test) in TESTS {
        tests.args(["--package", package, "--test", test]);
    }
    succeed(&mut tests)
}
