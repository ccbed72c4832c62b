//! What `--help` says after the options.

macro_rules! seconds {
    () => {
        "SECONDS may have decimals."
    };
}

macro_rules! environment {
    () => {
        "Environment (nothing that is already set is overridden):
  IDENTITY_ENDPOINT, IDENTITY_HEADER, AzureADManagedIdentityClientId, StorageCS, keyvault, TaskQueueName,
  TaskBlobContainerName and SasTokenExpiry become SPIN_VARIABLE_…; SPIN_VARIABLE_BLOB_HOST, _QUEUE_HOST,
  _KEY_VAULT_HOST and _IDENTITY_HOST are derived from the endpoints they belong to."
    };
}

/// Of `launcher --help`.
pub(super) const LAUNCHER: &str = "`launcher <COMMAND> --help` lists the options of a command.";

/// Of `launcher api --help`.
pub(super) const API: &str = concat!(
    seconds!(),
    "\n\n",
    environment!(),
    "

Signals:
  After SIGTERM or SIGINT the host goes on serving for the linger, so that the platform can take the replica out
  of its routes and running requests can end. Then it gets SIGTERM, and SIGKILL when the grace period is over. A
  second signal ends the linger at once.

Exit codes:
  0  stopped by a signal, or the host ended by itself with 0
  1  the host could not be started
  2  the command line or the environment is not usable
  Otherwise the host's own code; 128 + n when signal n ended it."
);

/// Of `launcher worker --help`.
pub(super) const WORKER: &str = concat!(
    seconds!(),
    "\n\n",
    environment!(),
    "

Signals:
  After SIGTERM or SIGINT running drains receive nothing new and have four fifths of the grace period; then they
  hand their messages back. Then the host gets SIGTERM, and SIGKILL when the grace period is over. A second signal
  hands the messages back at once.

Exit codes:
  0  stopped by a signal
  1  the host could not be started, ended, or did not become healthy in time
  2  the command line or the environment is not usable"
);

/// Of `launcher warm --help`.
pub(super) const WARM: &str = concat!(
    seconds!(),
    "\n\n",
    environment!(),
    "

Exit codes:
  0  every --get URL had a response
  1  the host could not be started, ended, or did not become healthy in time; a --get URL had no response or a 500
  2  the command line or the environment is not usable"
);

/// Of `launcher health --help`.
pub(super) const HEALTH: &str = concat!(
    seconds!(),
    "

Exit codes:
  0  the response was 2xx
  1  no response, or not 2xx
  2  the command line is not usable"
);
