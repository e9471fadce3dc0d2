//! Creates a topic, without the seconds that a JVM takes to start.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use thalweg_protocol::StrBytes;
use thalweg_protocol::messages::CreateTopicsRequest;
use thalweg_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};

use crate::client::Target;
use crate::client::cluster::{check, metadata, topic_name};
use crate::client::wire::Connection;

const CREATE_TOPICS_VERSION: i16 = 5;

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
    let topic = CreatableTopic::default()
        .with_name(topic_name(&args.target.topic))
        .with_num_partitions(args.partitions)
        .with_replication_factor(1)
        .with_configs(args.config.iter().map(|text| config(text)).collect::<Result<_>>()?);
    let request = CreateTopicsRequest::default()
        .with_topics(vec![topic])
        .with_timeout_ms(i32::try_from(limit.as_millis()).context("--seconds is too large")?);
    let began = Instant::now();
    let answer = connection.call(&request, CREATE_TOPICS_VERSION)?;
    let created = answer.topics.first().context("the broker's answer names no topic")?;
    let message = created.error_message.as_ref().map_or("", |text| text.as_str());
    check(&format!("topic {}", args.target.topic), created.error_code).with_context(|| message.to_owned())?;
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

fn config(text: &str) -> Result<CreatableTopicConfig> {
    let (key, value) = text.split_once('=').with_context(|| format!("`{text}` is not key=value"))?;
    Ok(CreatableTopicConfig::default()
        .with_name(StrBytes::from_string(key.to_owned()))
        .with_value(Some(StrBytes::from_string(value.to_owned()))))
}
