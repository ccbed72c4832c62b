/// What `--help` prints.
pub const HELP: &str = "\
Starts a Spin host with variables made from the platform's environment; as a worker, also calls its drain
route until told to stop.

USAGE
  launcher api    [options] -- <host command …>
  launcher worker --drain-url URL [options] [-- <host command …>]
  launcher warm   --health-url URL [--get URL …] [options] -- <host command …>
  launcher health --url URL [--timeout SECONDS]

warm starts a host, waits until it is healthy, asks each --get URL once and stops the host: what the host
compiled is then in its compile cache. health asks once and says by its exit code whether the answer was 2xx.

Without a host command the worker drives a host that already runs; SPIN_VARIABLE_DRAIN_TOKEN must then be
set. With one, a random token is made and handed to the host when none is set.

OPTIONS FOR api, worker
  --grace SECONDS          worker: from SIGTERM or SIGINT until everything has ended (default 25); warm has it, too
                           api: from the end of the linger until the host is killed (default 15)
  --metrics-listen ADDR    serve GET /metrics (Prometheus text) and GET /healthz on this address:port
  --health-url URL         asked whether the host answers (default: /.well-known/spin/health; worker: of the host of
                           --drain-url; api: of the host command's --listen, else of 127.0.0.1:3000)
  --health-interval SECONDS  how often (default 10): three failures in a row turn /healthz to 503, one answer to 200;
                           api: only with --metrics-listen or --health-url
  --help, --version

OPTIONS FOR api
  --linger SECONDS         how long the host goes on serving after SIGTERM or SIGINT, 0 to 3600 (default 10)

OPTIONS FOR worker
  --drain-url URL          the worker's drain route, http:// (required)
  --parallel N             drains at a time, 1 to 64 (default 2)
  --idle-max SECONDS       longest pause between drains that found nothing (default 5; starts at 0.1, doubles)
  --start-timeout SECONDS  how long the host may take until it is healthy (default 60)
  --drain-timeout SECONDS  how long one drain may go on receiving (default 691200, 8 days: longer than any task). It
                           is then told to stop and reports when what runs has ended; after twice the time its
                           connection is given up

OPTIONS FOR warm
  --health-url URL         polled until it answers 2xx (required)
  --get URL                asked once, repeatable; any answer but 500 will do, which is a component that failed
  --start-timeout SECONDS  as above

OPTIONS FOR health
  --url URL                asked once (required)
  --timeout SECONDS        how long the answer may take (default 5)

SECONDS may have decimals.

ENVIRONMENT (nothing already set is overridden)
  IDENTITY_ENDPOINT, IDENTITY_HEADER, AzureADManagedIdentityClientId, StorageCS, keyvault, TaskQueueName,
  TaskBlobContainerName and SasTokenExpiry become SPIN_VARIABLE_…; SPIN_VARIABLE_BLOB_HOST, _QUEUE_HOST,
  _KEY_VAULT_HOST and _IDENTITY_HOST are derived from the endpoints they belong to.

SIGNALS
  SIGTERM, SIGINT  worker: running drains receive nothing new and have the grace period less a margin of a
                   fifth; then they hand their messages back. Then the host gets SIGTERM, and SIGKILL when the
                   grace period is over. A second signal hands the messages back at once.
                   api: the host goes on serving for the linger, so that the platform can take the replica out of
                   its routes and requests in flight can end; then it gets SIGTERM, and SIGKILL when the grace period
                   is over. A second signal ends the linger at once.

EXIT CODES
  0  stopped by a signal; api: also when the host ended by itself with 0
  1  worker, warm: the host ended, or did not become healthy in time; any role: it could not be started;
     warm: a --get URL had no answer or a 500; health: no answer, or not 2xx
  2  the command line or the environment is not usable
  api: otherwise the host's own code; 128 + n when signal n ended it
";
