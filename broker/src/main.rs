//! `thalwegd [server.properties] [--override key=value]…`

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use signal_hook::consts::{SIGINT, SIGTERM};
use thalweg_broker::config::{Config, HostPort, Loaded};
use thalweg_broker::reactor::{self, Doors, Shared};
use thalweg_broker::{admin, net, preflight};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "\
usage: thalwegd [server.properties] [--override key=value]...

Without a file: one node, data in ./thalweg-data, Kafka on 127.0.0.1:9092, admin HTTP on 127.0.0.1:9644.
The keys are Kafka's; see docs/configuration.md.";

fn main() -> ExitCode {
    let began = Instant::now();
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(Parsed::Run(arguments)) => arguments,
        Ok(Parsed::Say(text)) => {
            println!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("thalwegd: {message}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    log_to_stderr();
    end_on_panic();
    match run(&arguments, began) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            for line in message.lines() {
                eprintln!("thalwegd: {line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments, began: Instant) -> Result<(), String> {
    let Loaded { mut config, warnings } =
        Config::load(arguments.file.as_deref(), &arguments.overrides).map_err(|error| error.to_string())?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    preflight::check_kernel()?;
    preflight::raise_limits(config.cores)?;
    let identity = preflight::claim_directories(&config)?;
    consult_probes(&mut config);
    let mut listeners = Vec::with_capacity(config.listeners.len());
    for listener in &config.listeners {
        listeners.push(net::bind(&listener.address.to_string(), "listeners")?);
    }
    let rpc_listener = match &mut config.rpc_listener {
        Some(address) => Some(bind_for_nodes(address)?),
        None => None,
    };
    config.adopt_ports(&listeners);
    let admin_listener =
        config.admin_listener.as_ref().map(|address| net::bind(&address.to_string(), "thalweg.admin.listener"));
    let shared = Arc::new(Shared::new(config, &identity));
    if let Some(listener) = admin_listener {
        admin::start(Arc::clone(&shared), listener?).map_err(|error| format!("the admin listener: {error}"))?;
    }
    stop_on_signals(&shared)?;
    announce(&shared);
    reactor::rehome(&shared)?;
    let node = reactor::start(&shared, Doors { clients: listeners, nodes: rpc_listener })?;
    let ended = node.join();
    tracing::info!(uptime = ?began.elapsed(), "stopped");
    // The directories' locks are held until here.
    drop(identity);
    ended
}

/// As [`net::bind`]; what others are told is the port that there is.
fn bind_for_nodes(address: &mut HostPort) -> Result<TcpListener, String> {
    let listener = net::bind(&address.to_string(), "thalweg.rpc.listener")?;
    if let Ok(bound) = listener.local_addr() {
        address.port = bound.port();
    }
    Ok(listener)
}

/// What was measured on this host decides what nobody set.
fn consult_probes(config: &mut Config) {
    let advice = config.consult_probes();
    for warning in &advice.warnings {
        tracing::warn!("{warning}");
    }
    for note in &advice.notes {
        tracing::debug!("{note}");
    }
    if let Some(taken) = config.follow(&advice) {
        tracing::info!("{taken} ({})", advice.notes.join("; "));
    }
}

fn announce(shared: &Shared) {
    let config = &shared.config;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        node = config.node_id.0,
        cluster = shared.cluster_id(),
        cores = shared.cores,
        data = ?config.log_dirs,
        listeners = ?config.listeners.iter().map(|listener| listener.address.to_string()).collect::<Vec<_>>(),
        "starting"
    );
}

/// The first SIGTERM or SIGINT stops cleanly; a second ends the process at once, which loses nothing either.
fn stop_on_signals(shared: &Arc<Shared>) -> Result<(), String> {
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT])
        .map_err(|error| format!("cannot listen for signals: {error}"))?;
    let shared = Arc::clone(shared);
    let spawned = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            if shared.stopping.swap(true, Ordering::AcqRel) {
                std::process::exit(128 + signal);
            }
            tracing::info!(signal, "stopping");
        }
    });
    spawned.map(drop).map_err(|error| format!("cannot start the signal thread: {error}"))
}

/// A panic is a bug of ours: a core that lost a task must not go on as if nothing had happened. What was acknowledged is on
/// the device.
fn end_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
}

fn log_to_stderr() {
    use std::io::IsTerminal as _;
    let filter = tracing_subscriber::EnvFilter::try_from_env("THALWEG_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}

struct Arguments {
    file: Option<PathBuf>,
    overrides: Vec<String>,
}

enum Parsed {
    Run(Arguments),
    Say(String),
}

impl Arguments {
    fn parse(given: impl Iterator<Item = String>) -> Result<Parsed, String> {
        let mut arguments = Self { file: None, overrides: Vec::new() };
        let mut given = given;
        while let Some(argument) = given.next() {
            match argument.as_str() {
                "-h" | "--help" => return Ok(Parsed::Say(USAGE.to_owned())),
                "-V" | "--version" => return Ok(Parsed::Say(format!("thalwegd {}", env!("CARGO_PKG_VERSION")))),
                "--override" => {
                    let setting = given.next().ok_or("--override needs key=value behind it")?;
                    arguments.overrides.push(setting);
                }
                other if other.starts_with("--override=") => {
                    arguments.overrides.push(other.trim_start_matches("--override=").to_owned());
                }
                other if other.starts_with('-') => return Err(format!("there is no option {other}")),
                other if arguments.file.is_some() => {
                    return Err(format!("only one properties file can be given; {other} is the second"));
                }
                other => arguments.file = Some(PathBuf::from(other)),
            }
        }
        Ok(Parsed::Run(arguments))
    }
}
