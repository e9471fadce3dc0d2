//! Creating topics, in requests that are small enough for every broker.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use thalweg_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use thalweg_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use thalweg_protocol::messages::{CreatePartitionsRequest, CreateTopicsRequest};
use thalweg_protocol::{ErrorCode, StrBytes};

use super::cluster::{check, topic_name};
use super::wire::Connection;

/// Served by every Kafka from 2.4 on.
const CREATE_TOPICS_VERSION: i16 = 5;
const CREATE_PARTITIONS_VERSION: i16 = 1;
/// Kafka's controller takes at most 10 000 records from one request: one for each topic, partition and setting.
const PARTITIONS_AT_ONCE: i32 = 5000;
const TOPICS_AT_ONCE: usize = 1000;

/// What each of the new topics is like.
pub(crate) struct NewTopics<'a> {
    pub(crate) partitions: i32,
    pub(crate) replication: i16,
    pub(crate) config: Vec<(&'a str, &'a str)>,
    /// How long the broker may take for each request.
    pub(crate) patience: Duration,
}

impl NewTopics<'_> {
    /// Creates topics with these names. One that is there by now is left as it is if `or_found` says so: several
    /// processes may begin together.
    pub(crate) fn create(&self, connection: &mut Connection, names: &[&str], or_found: bool) -> Result<()> {
        for some in names.chunks(topics_at_once(self.partitions)) {
            for (name, code, message) in self.ask(connection, some)? {
                match ErrorCode::from_code(code) {
                    Some(ErrorCode::TopicAlreadyExists) if or_found => {}
                    _ => {
                        check(&format!("creating topic {name}"), code)
                            .with_context(|| format!("the topic cannot be created ({message})"))?;
                        self.widen(connection, &name)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The first partitions of some topics. What became of each.
    fn ask(&self, connection: &mut Connection, names: &[&str]) -> Result<Vec<(String, i16, String)>> {
        let configs = self.config.iter().map(|(key, value)| {
            CreatableTopicConfig::default()
                .with_name(StrBytes::from_string((*key).to_owned()))
                .with_value(Some(StrBytes::from_string((*value).to_owned())))
        });
        let configs: Vec<_> = configs.collect();
        let new = |name: &&str| {
            CreatableTopic::default()
                .with_name(topic_name(name))
                .with_num_partitions(self.partitions.min(PARTITIONS_AT_ONCE))
                .with_replication_factor(self.replication)
                .with_configs(configs.clone())
        };
        let request = CreateTopicsRequest::default()
            .with_topics(names.iter().map(new).collect())
            .with_timeout_ms(self.patience_ms());
        let answer = connection.call(&request, CREATE_TOPICS_VERSION)?;
        if answer.topics.len() != names.len() {
            bail!("the broker answers about {} topics, asked for were {}", answer.topics.len(), names.len());
        }
        let fates = answer.topics.into_iter().map(|topic| {
            let message = topic.error_message.map_or_else(String::new, |text| text.to_string());
            (topic.name.to_string(), topic.error_code, message)
        });
        Ok(fates.collect())
    }

    /// The partitions for which the first request had no room.
    fn widen(&self, connection: &mut Connection, name: &str) -> Result<()> {
        let mut count = self.partitions.min(PARTITIONS_AT_ONCE);
        while count < self.partitions {
            count = self.partitions.min(count + PARTITIONS_AT_ONCE);
            let topic = CreatePartitionsTopic::default()
                .with_name(topic_name(name))
                .with_count(count)
                // Where they go is the broker's to choose.
                .with_assignments(None);
            let request =
                CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(self.patience_ms());
            let answer = connection.call(&request, CREATE_PARTITIONS_VERSION)?;
            let widened = answer.results.first().context("the broker's answer names no topic")?;
            let message = widened.error_message.as_ref().map_or("", |text| text.as_str());
            check(&format!("topic {name}, up to {count} partitions"), widened.error_code)
                .with_context(|| message.to_owned())?;
        }
        Ok(())
    }

    fn patience_ms(&self) -> i32 {
        i32::try_from(self.patience.as_millis()).unwrap_or(i32::MAX)
    }
}

fn topics_at_once(partitions: i32) -> usize {
    let fitting = usize::try_from(PARTITIONS_AT_ONCE / partitions.max(1)).unwrap_or(1);
    fitting.clamp(1, TOPICS_AT_ONCE)
}

#[cfg(test)]
mod tests {
    use super::topics_at_once;

    #[test]
    fn a_request_never_asks_for_more_partitions_than_brokers_take() {
        assert_eq!(topics_at_once(1), 1000, "also bounded by the number of topics");
        assert_eq!(topics_at_once(6), 833);
        assert_eq!(topics_at_once(5000), 1);
        assert_eq!(topics_at_once(10_000), 1, "and then widened");
        assert_eq!(topics_at_once(-1), 1000, "the broker's default");
    }
}
