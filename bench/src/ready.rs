//! Waits until a broker serves. Thalweg says so over HTTP; of Kafka, the first Metadata answer tells.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};

use crate::client::cluster::metadata;
use crate::client::wire::Connection;

const POLL: Duration = Duration::from_millis(2);
const ANSWER: Duration = Duration::from_secs(2);

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// host:port of an admin listener: GET /ready must answer 200
    #[arg(long, required_unless_present = "bootstrap", conflicts_with = "bootstrap")]
    http: Option<String>,
    /// host:port of a broker: Metadata must list at least one broker
    #[arg(long)]
    bootstrap: Option<String>,
    /// When the clock began, in seconds since 1970 (bash's $EPOCHREALTIME); otherwise now
    #[arg(long)]
    since: Option<f64>,
    /// Gives up at once when this process has ended
    #[arg(long)]
    pid: Option<u32>,
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// What tells that a broker serves.
#[derive(Clone, Debug)]
pub(crate) enum Sign {
    /// `GET /ready` on this address answers 200.
    Http(String),
    /// Metadata from this address names a broker.
    Metadata(String),
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let began = args.since.map_or_else(now, Ok)?;
    let sign = match (&args.http, &args.bootstrap) {
        (Some(address), _) => Sign::Http(address.clone()),
        (None, Some(address)) => Sign::Metadata(address.clone()),
        (None, None) => bail!("nothing says where to ask: give --http or --bootstrap"),
    };
    await_ready(&sign, Duration::from_secs(args.seconds), || match args.pid.filter(|pid| ended(*pid)) {
        Some(pid) => bail!("process {pid} ended before it was ready"),
        None => Ok(()),
    })?;
    println!("ready_ms={:.1}", (now()? - began) * 1000.0);
    Ok(())
}

/// `hopeful` is asked between two attempts, and its error ends the waiting.
pub(crate) fn await_ready(sign: &Sign, limit: Duration, mut hopeful: impl FnMut() -> Result<()>) -> Result<()> {
    let deadline = Instant::now() + limit;
    while !sign.shows() {
        hopeful()?;
        if Instant::now() > deadline {
            bail!("not ready after {} s", limit.as_secs());
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

fn now() -> Result<f64> {
    Ok(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock is before 1970")?.as_secs_f64())
}

impl Sign {
    fn shows(&self) -> bool {
        match self {
            Self::Http(address) => answers_ready(address).unwrap_or(false),
            Self::Metadata(address) => Connection::open(address, ANSWER)
                .and_then(|mut connection| metadata(&mut connection, None))
                .is_ok_and(|answer| !answer.brokers.is_empty()),
        }
    }
}

fn answers_ready(address: &str) -> Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.write_all(format!("GET /ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    Ok(status == *b"HTTP/1.1 200")
}

/// A child that nobody has waited for yet is still in /proc, as a zombie.
fn ended(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
}
