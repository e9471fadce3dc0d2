//! Asks, and writes down the answers without what differs from run to run.

use thalweg_protocol::messages::TopicName;
use thalweg_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use thalweg_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use thalweg_protocol::messages::metadata_request::MetadataRequestTopic;
use thalweg_protocol::messages::{CreateTopicsRequest, DescribeLogDirsRequest, MetadataRequest};
use thalweg_protocol::{Decodable, HeaderVersion, Request, StrBytes};

use crate::wire::{Client, PATIENCE, Reply, frame, request_bytes};

pub struct Asker {
    bootstrap: String,
    client: Client,
    /// Before every name that is created.
    prefix: String,
    answers: String,
    /// What is written in place of something else.
    hidden: Vec<(String, String)>,
}

pub fn string(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub fn topic_name(text: &str) -> TopicName {
    TopicName(string(text))
}

impl Asker {
    pub fn new(bootstrap: &str, prefix: &str) -> Self {
        let client = Client::connect(bootstrap);
        let hidden = vec![(prefix.to_owned(), "~".to_owned())];
        Self { bootstrap: bootstrap.to_owned(), client, prefix: prefix.to_owned(), answers: String::new(), hidden }
    }

    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    pub fn into_answers(self) -> String {
        self.answers
    }

    /// A name of this run.
    pub fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub fn topic(&self, name: &str) -> TopicName {
        topic_name(&self.name(name))
    }

    /// `value`, where it is found in answers, stands there as `mark`.
    pub fn hide(&mut self, value: impl ToString, mark: &str) {
        self.hidden.push((value.to_string(), mark.to_owned()));
    }

    /// Asks and writes down.
    pub fn ask<R: Request>(&mut self, case: &str, version: i16, request: &R)
    where
        R::Response: Decodable + HeaderVersion + std::fmt::Debug,
    {
        println!("{case}");
        let answer = self.quietly(version, request);
        self.note(case, &answer);
    }

    /// Writes down an answer, or a part of it.
    pub fn note(&mut self, case: &str, answer: &Option<impl std::fmt::Debug>) {
        let answer = answer.as_ref().map_or_else(|| "closed".to_owned(), |answer| self.plain(&format!("{answer:?}")));
        self.answers.push_str(&format!("{case}: {answer}\n"));
    }

    /// Asks; `None` when the connection was closed.
    pub fn quietly<R: Request>(&mut self, version: i16, request: &R) -> Option<R::Response>
    where
        R::Response: Decodable + HeaderVersion,
    {
        assert!(self.client.send(&frame(&request_bytes(version, request))));
        match self.client.reply(PATIENCE) {
            Reply::Answer(mut answer) => {
                drop(answer.split_to(if R::Response::header_version(version) >= 1 { 5 } else { 4 }));
                Some(R::Response::decode(&mut answer, version).unwrap())
            }
            Reply::Closed => {
                self.client = Client::connect(&self.bootstrap);
                None
            }
            Reply::Silence => panic!("neither an answer nor an end to API {} version {version}", R::KEY),
        }
    }

    /// Creates a topic for other questions; its id.
    pub fn create(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> uuid::Uuid {
        let configs = configs.iter().map(|(name, value)| {
            CreatableTopicConfig::default().with_name(string(name)).with_value(Some(string(value)))
        });
        let topic = CreatableTopic::default().with_name(self.topic(name)).with_num_partitions(partitions);
        let topic = topic.with_replication_factor(1).with_configs(configs.collect());
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
        let answer = self.quietly(7, &request).unwrap();
        assert_eq!(answer.topics[0].error_code, 0, "{name}: {answer:?}");
        self.await_leaders(name, partitions);
        answer.topics[0].topic_id
    }

    /// The directory that a topic's first partition is in.
    pub fn log_dir(&mut self, name: &str) -> String {
        let topic = DescribableLogDirTopic::default().with_topic(topic_name(name)).with_partitions(vec![0]);
        let request = DescribeLogDirsRequest::default().with_topics(Some(vec![topic]));
        let answer = self.quietly(4, &request).unwrap();
        answer.results.iter().find(|dir| !dir.topics.is_empty()).unwrap().log_dir.to_string()
    }

    /// Kafka answers a creation before the topic can be used; returns the leader's epoch.
    pub fn await_leaders(&mut self, name: &str, partitions: i32) -> i32 {
        let topic = MetadataRequestTopic::default().with_name(Some(self.topic(name)));
        let request = MetadataRequest::default().with_topics(Some(vec![topic]));
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let answer = self.quietly(12, &request).unwrap();
            let led: Vec<i32> = answer.topics[0]
                .partitions
                .iter()
                .filter(|partition| partition.error_code == 0 && partition.leader_id.0 >= 0)
                .map(|partition| partition.leader_epoch)
                .collect();
            if i32::try_from(led.len()) == Ok(partitions) {
                return led[0];
            }
            assert!(std::time::Instant::now() < deadline, "{answer:?}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Without names and ids of this run, and without what every message has.
    fn plain(&self, answer: &str) -> String {
        let mut plain = answer.replace(", unknown_tagged_fields: {}", "").replace("throttle_time_ms: 0, ", "");
        for (value, mark) in &self.hidden {
            plain = plain.replace(value, mark);
        }
        without_texts(&without_settings(&without_ids(&plain)))
    }
}

/// Without the settings that a created topic has: there are many, and another test compares them.
fn without_settings(text: &str) -> String {
    let Some((before, rest)) = text.split_once(", configs: Some([CreatableTopicConfigs") else {
        return text.to_owned();
    };
    let after = rest.split_once("])").map(|(_, after)| after).unwrap_or_default();
    before.to_owned() + ", configs" + &without_settings(after)
}

/// Whether there is a message counts, not what it says; none and an empty one are the same to clients.
fn without_texts(text: &str) -> String {
    const FIELD: &str = "error_message: ";
    let Some((before, rest)) = text.split_once(FIELD) else { return text.to_owned() };
    let (shown, after) = match rest.strip_prefix("Some(\"") {
        Some(message) => match message.split_once("\")") {
            Some(("", after)) => ("none", after),
            Some((_, after)) => ("some", after),
            None => ("some", ""),
        },
        None => ("none", rest.strip_prefix("None").unwrap_or(rest)),
    };
    format!("{before}{FIELD}{shown}{}", without_texts(after))
}

/// Uuids other than zero become `ID`.
fn without_ids(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(found) = rest.char_indices().map(|(at, _)| at).find(|at| is_id(&rest[*at..])) {
        let id = &rest[found..found + 36];
        out.push_str(&rest[..found]);
        out.push_str(if id.bytes().all(|byte| matches!(byte, b'0' | b'-')) { "0" } else { "ID" });
        rest = &rest[found + 36..];
    }
    out + rest
}

fn is_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 36
        && bytes[..36].iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
