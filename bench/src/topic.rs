//! Creates a topic, without the seconds that a JVM takes to start.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::client::Target;
use crate::client::cluster::metadata;
use crate::client::creation::NewTopics;
use crate::client::wire::Connection;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) target: Target,
    #[arg(long, default_value_t = 1)]
    pub(crate) partitions: i32,
    /// key=value, as often as needed
    #[arg(long)]
    pub(crate) config: Vec<String>,
    #[arg(long, default_value_t = 120)]
    pub(crate) seconds: u64,
}

/// How long a creation took.
pub(crate) struct Created {
    /// Until the request was answered.
    pub(crate) answered: Duration,
    /// Until every partition had a leader.
    pub(crate) led: Duration,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let Created { answered, led } = create(args)?;
    println!("answered_ms={}\tcreate_ms={}", answered.as_millis(), led.as_millis());
    Ok(())
}

pub(crate) fn create(args: &Args) -> Result<Created> {
    let limit = Duration::from_secs(args.seconds);
    let mut connection = Connection::open(&args.target.bootstrap, limit)?;
    let new = NewTopics {
        partitions: args.partitions,
        replication: 1,
        config: args.config.iter().map(|text| config(text)).collect::<Result<_>>()?,
        patience: limit,
    };
    let began = Instant::now();
    new.create(&mut connection, &[args.target.topic.as_str()], false)?;
    let answered = began.elapsed();
    while !all_led(&mut connection, args)? {
        if began.elapsed() > limit {
            bail!("topic {}: not every partition has a leader after {} s", args.target.topic, args.seconds);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(Created { answered, led: began.elapsed() })
}

fn all_led(connection: &mut Connection, args: &Args) -> Result<bool> {
    let answer = metadata(connection, Some(&args.target.topic))?;
    let Some(topic) = answer.topics.first() else { return Ok(false) };
    let led = topic.partitions.iter().filter(|partition| partition.error_code == 0 && partition.leader_id.0 >= 0);
    Ok(topic.error_code == 0 && i32::try_from(led.count())? == args.partitions)
}

fn config(text: &str) -> Result<(&str, &str)> {
    text.split_once('=').with_context(|| format!("`{text}` is not key=value"))
}
