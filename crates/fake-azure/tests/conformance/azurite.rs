//! Azurite as a child process on free ports.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio_rustls::rustls::pki_types::CertificateDer;

/// How long it may take to start; a cold start on a busy machine takes seconds.
const START: Duration = Duration::from_secs(60);

/// Whether tokens are accepted, which Azurite does over TLS only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

/// A running Azurite; ended when dropped.
pub(crate) struct Azurite {
    child: Child,
    /// The account's addresses.
    pub(crate) blob: String,
    pub(crate) queue: String,
    /// What to trust when it speaks TLS.
    pub(crate) certificate: Option<CertificateDer<'static>>,
    _files: TempDir,
}

impl Azurite {
    /// Starts Azurite and waits until it listens.
    ///
    /// # Panics
    /// When it is not installed or does not start: what is not tested must not look tested.
    pub(crate) fn start(scheme: Scheme) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        let script = root.join("node_modules/azurite/dist/src/azurite.js");
        assert!(
            script.is_file(),
            "Azurite is not installed. Run `npm ci` in the repository's top folder, then the tests again."
        );
        let files = TempDir::new().unwrap();
        let mut command = Command::new("node");
        command.arg(&script).args([
            "--inMemoryPersistence",
            "--silent",
            "--disableTelemetry",
            "--blobPort",
            "0",
            "--queuePort",
            "0",
            "--tablePort",
            "0",
        ]);
        let mut certificate = None;
        if scheme == Scheme::Https {
            let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
            let (cert, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
            std::fs::write(&cert, made.cert.pem()).unwrap();
            std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
            command.args(["--oauth", "basic"]).arg("--cert").arg(cert).arg("--key").arg(key);
            certificate = Some(made.cert.der().clone());
        }
        let mut child = command
            .current_dir(files.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("Node.js could not be started ({error}). Install Node.js 20 or newer for the Azurite tests.")
            });
        let stdout = child.stdout.take().unwrap();
        let mut azurite =
            Self { child, blob: String::new(), queue: String::new(), certificate, _files: files };
        azurite.wait_for_addresses(stdout);
        azurite
    }

    fn wait_for_addresses(&mut self, stdout: std::process::ChildStdout) {
        let (sender, lines) = mpsc::channel();
        // Goes on reading after the addresses are known: a full pipe would stop Azurite.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let deadline = Instant::now() + START;
        while self.blob.is_empty() || self.queue.is_empty() {
            let line = lines.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            let line =
                line.unwrap_or_else(|_| panic!("Azurite did not say within {START:?} where it listens."));
            let Some((service, address)) = line.split_once(" service is successfully listening at ") else {
                continue;
            };
            let address = format!("{address}/devstoreaccount1");
            match service {
                "Azurite Blob" => self.blob = address,
                "Azurite Queue" => self.queue = address,
                _ => {}
            }
        }
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        // It has ended already if it crashed; that has failed the test elsewhere.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
