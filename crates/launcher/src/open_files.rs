//! How many files and sockets the host may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard limit. A host that is started afterwards inherits it.
///
/// Spin ends when it cannot accept a connection, and in many containers the soft limit is 1,024: as many idle clients would
/// end every request of the replica.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Where the system refuses, the limit stays as it is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
