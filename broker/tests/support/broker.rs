//! One `thalwegd` process.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::{Signal, Target, free_ports, get, send};

/// How a broker is started; `Options::default()` is two cores and nothing else.
#[derive(Debug, Clone)]
pub struct Options {
    /// `thalweg.cores`.
    pub cores: usize,
    /// More `--override key=value`, in this order. They come last, so they win.
    pub properties: Vec<(String, String)>,
    /// More environment.
    pub env: Vec<(String, String)>,
    /// How long the broker may take until `GET /ready` answers 200.
    pub ready_within: Duration,
    /// How long it may take to exit after SIGTERM.
    pub stop_within: Duration,
    /// How many data directories `log.dirs` names.
    pub log_dirs: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cores: 2,
            properties: Vec::new(),
            env: Vec::new(),
            ready_within: Duration::from_secs(30),
            stop_within: Duration::from_secs(30),
            log_dirs: 1,
        }
    }
}

impl Options {
    pub fn property(mut self, key: &str, value: impl ToString) -> Self {
        self.properties.push((key.to_owned(), value.to_string()));
        self
    }

    pub fn cores(mut self, cores: usize) -> Self {
        self.cores = cores;
        self
    }

    pub fn env(mut self, key: &str, value: impl ToString) -> Self {
        self.env.push((key.to_owned(), value.to_string()));
        self
    }
}

/// Why a broker did not become ready. Each carries the end of its log.
#[derive(Debug)]
pub enum StartError {
    Exited { status: ExitStatus, log: String },
    NotReady { after: Duration, log: String },
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited { status, log } => write!(f, "thalwegd ended before it was ready ({status}); its log:\n{log}"),
            Self::NotReady { after, log } => {
                write!(f, "thalwegd was not ready after {after:?}; its log:\n{log}")
            }
        }
    }
}

impl std::error::Error for StartError {}

/// A `thalwegd` process with its ports and directory. It owns the process: dropping it kills it.
#[derive(Debug)]
pub struct Broker {
    options: Options,
    /// Removed when dropped; `None` once it was given away to stay.
    dir: Option<tempfile::TempDir>,
    path: PathBuf,
    bootstrap: String,
    admin: String,
    child: Option<Child>,
}

/// Ports are found by looking, so another process can take one before the broker binds it; then others are tried.
const PORT_ATTEMPTS_MAX: usize = 3;
const POLL: Duration = Duration::from_millis(5);
const LOG_TAIL_LINES: usize = 60;

impl Broker {
    /// Starts a broker on an empty data directory and waits until it is ready; panics with its log if that fails.
    pub fn start(options: Options) -> Self {
        Self::try_start(options).unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`Broker::start`], for tests that expect a refusal.
    pub fn try_start(options: Options) -> Result<Self, StartError> {
        let mut broker = Self::prepare(options);
        for _ in 1..PORT_ATTEMPTS_MAX {
            match broker.launch() {
                Err(StartError::Exited { log, .. }) if log.to_lowercase().contains("address already in use") => {
                    broker.take_ports();
                }
                other => return other.map(|()| broker),
            }
        }
        broker.launch().map(|()| broker)
    }

    /// The directory and the ports, and no process yet: [`Broker::restart`] starts it. For tests that put something
    /// into the data directory first.
    pub fn prepare(options: Options) -> Self {
        // Under the target directory, because that is on a real file system: `/tmp` may be one without direct I/O.
        let dir = tempfile::Builder::new()
            .prefix("broker-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .expect("a temporary directory");
        let path = dir.path().to_path_buf();
        let mut broker =
            Self { options, dir: Some(dir), path, bootstrap: String::new(), admin: String::new(), child: None };
        broker.take_ports();
        broker
    }

    fn take_ports(&mut self) {
        let [kafka, admin] = free_ports();
        self.bootstrap = format!("127.0.0.1:{kafka}");
        self.admin = format!("127.0.0.1:{admin}");
    }

    /// `host:port` of the Kafka listener; stays the same over restarts.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// `host:port` of the admin listener.
    pub fn admin(&self) -> &str {
        &self.admin
    }

    /// Status and body of a GET on the admin listener.
    pub fn admin_get(&self, path: &str) -> std::io::Result<(u16, String)> {
        get(&self.admin, path)
    }

    /// The data directories, in the order of `log.dirs`.
    pub fn log_dirs(&self) -> Vec<PathBuf> {
        (0..self.options.log_dirs).map(|n| self.path.join(format!("data-{n}"))).collect()
    }

    /// The first data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.path.join("data-0")
    }

    /// Everything the process has written to stdout and stderr, over all its starts.
    pub fn log(&self) -> String {
        fs::read(self.log_path()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    pub fn log_path(&self) -> PathBuf {
        self.path.join("thalwegd.log")
    }

    /// The last lines of [`Broker::log`].
    pub fn log_tail(&self) -> String {
        tail(&self.log(), LOG_TAIL_LINES)
    }

    /// The process id; panics when the broker is not running.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("a running broker").id()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// To change properties between a stop and a restart.
    pub fn options_mut(&mut self) -> &mut Options {
        &mut self.options
    }

    /// SIGKILL, at once, and waits until the process is gone.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            // `Child::kill` is SIGKILL, and goes to this child only: it has not been waited for, so its pid is its own.
            child.kill().expect("kill");
            child.wait().expect("wait");
        }
    }

    /// Starts the process again, with the same ports and data, and waits until it is ready. One that still runs is
    /// killed first. Panics with the log if it does not become ready.
    pub fn restart(&mut self) {
        self.try_restart().unwrap_or_else(|error| panic!("{error}"));
    }

    /// As [`Broker::restart`], for tests that expect a refusal.
    pub fn try_restart(&mut self) -> Result<(), StartError> {
        self.kill9();
        self.launch()
    }

    /// SIGTERM, and waits for the end; panics if the broker takes too long or does not exit with 0.
    pub fn stop(&mut self) {
        let status = self.terminate();
        assert!(status.success(), "thalwegd ended with {status} after SIGTERM; its log:\n{}", self.log_tail());
    }

    /// SIGTERM, and the exit status.
    pub fn terminate(&mut self) -> ExitStatus {
        send(Signal::Term, Target::Process(self.pid()));
        let deadline = Instant::now() + self.options.stop_within;
        loop {
            let child = self.child.as_mut().expect("a running broker");
            if let Some(status) = child.try_wait().expect("wait") {
                self.child = None;
                return status;
            }
            if Instant::now() > deadline {
                self.kill9();
                panic!(
                    "thalwegd still ran {:?} after SIGTERM; its log:\n{}",
                    self.options.stop_within,
                    self.log_tail()
                );
            }
            std::thread::sleep(POLL);
        }
    }

    fn launch(&mut self) -> Result<(), StartError> {
        self.spawn();
        self.await_ready()
    }

    /// Starts the process and waits for nothing: one of several that become ready together.
    pub fn spawn(&mut self) {
        self.kill9();
        let log = File::options().create(true).append(true).open(self.log_path()).expect("the log file");
        let child = self.command().stdout(log.try_clone().expect("dup")).stderr(log).spawn().expect("thalwegd");
        self.child = Some(child);
    }

    /// Waits until `GET /ready` answers 200; kills the broker if that takes too long.
    pub fn await_ready(&mut self) -> Result<(), StartError> {
        let result = self.wait_ready();
        if result.is_err() {
            self.kill9();
        }
        result
    }

    fn command(&self) -> Command {
        let log_dirs: Vec<_> = self.log_dirs().iter().map(|dir| dir.display().to_string()).collect();
        let fixed = [
            ("listeners".to_owned(), format!("PLAINTEXT://{}", self.bootstrap)),
            ("log.dirs".to_owned(), log_dirs.join(",")),
            ("thalweg.admin.listener".to_owned(), self.admin.clone()),
            ("thalweg.cores".to_owned(), self.options.cores.to_string()),
        ];
        let mut command = Command::new(env!("CARGO_BIN_EXE_thalwegd"));
        for (key, value) in fixed.iter().chain(&self.options.properties) {
            command.arg("--override").arg(format!("{key}={value}"));
        }
        command.current_dir(&self.path).stdin(Stdio::null());
        command.envs(self.options.env.iter().map(|(key, value)| (key, value)));
        command
    }

    fn wait_ready(&mut self) -> Result<(), StartError> {
        let after = self.options.ready_within;
        let deadline = Instant::now() + after;
        while Instant::now() < deadline {
            let child = self.child.as_mut().expect("just started");
            if let Some(status) = child.try_wait().expect("wait") {
                return Err(StartError::Exited { status, log: self.log_tail() });
            }
            if get(&self.admin, "/ready").is_ok_and(|(status, _)| status == 200) {
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
        Err(StartError::NotReady { after, log: self.log_tail() })
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("the end of thalwegd's log:\n{}", self.log_tail());
        }
        if std::env::var_os("THALWEG_TEST_KEEP").is_some_and(|value| value == "1")
            && let Some(dir) = self.dir.take()
        {
            eprintln!("kept: {}", dir.keep().display());
        }
    }
}

/// The last `lines` lines of a text.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
}
