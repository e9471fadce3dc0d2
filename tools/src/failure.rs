//! What went wrong, and what the reader can do about it.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use serde::Serialize;
use thalweg_protocol::error::ErrorCode;

/// Exit code of a command that could not do what it was asked.
const EXIT_FAILURE: u8 = 1;
/// Exit code of a command line that makes no sense; clap uses the same.
const EXIT_USAGE: u8 = 2;

/// A command's failure. `Display` is the message alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
    /// Kafka's name for the error, when a broker answered with one.
    code: Option<ErrorCode>,
    hint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Failed,
    Usage,
    /// The reader of our output went away, as `head` does. That is no failure.
    OutputClosed,
}

#[derive(Serialize)]
struct Report<'a> {
    error: ReportError<'a>,
}

#[derive(Serialize)]
struct ReportError<'a> {
    message: &'a str,
    code: Option<&'static str>,
    hint: Option<&'a str>,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { kind: Kind::Failed, message: message.into(), code: None, hint: None }
    }

    /// The command line asks for something that cannot be meant.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { kind: Kind::Usage, ..Self::new(message) }
    }

    /// A broker refused: its own message where it sent one, else Kafka's name for the code.
    pub(crate) fn refused(what: impl fmt::Display, code: i16, message: Option<&str>) -> Self {
        let known = ErrorCode::from_code(code);
        let name = known.map_or_else(|| format!("error code {code}"), |code| code.name().to_owned());
        let message = match message.filter(|text| !text.is_empty()) {
            Some(text) => format!("{what}: {text} ({name})"),
            None => format!("{what}: {name}"),
        };
        Self { code: known, hint: known.and_then(hint_for).map(str::to_owned), ..Self::new(message) }
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub(crate) fn with_code(mut self, code: ErrorCode) -> Self {
        self.code = Some(code);
        self
    }

    pub(crate) fn code(&self) -> Option<ErrorCode> {
        self.code
    }

    /// Writing to stdout failed.
    pub(crate) fn output(error: &io::Error) -> Self {
        let kind = if error.kind() == io::ErrorKind::BrokenPipe { Kind::OutputClosed } else { Kind::Failed };
        Self { kind, ..Self::new(format!("cannot write the output: {error}")) }
    }

    /// Says it on stderr and gives the exit code.
    pub(crate) fn report(&self, json: bool) -> ExitCode {
        if self.kind == Kind::OutputClosed {
            return ExitCode::SUCCESS;
        }
        // Nothing is left to do when stderr is closed too.
        let _ = io::stderr().write_all(self.text(json).as_bytes());
        ExitCode::from(if self.kind == Kind::Usage { EXIT_USAGE } else { EXIT_FAILURE })
    }

    fn text(&self, json: bool) -> String {
        if json {
            let error = ReportError {
                message: &self.message,
                code: self.code.map(ErrorCode::name),
                hint: self.hint.as_deref(),
            };
            return serde_json::to_string(&Report { error }).unwrap_or_default() + "\n";
        }
        let hint = self.hint.as_ref().map_or_else(String::new, |hint| format!("  hint: {hint}\n"));
        format!("error: {}\n{hint}", self.message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// What helps with an error wherever it appears.
fn hint_for(code: ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::TopicAlreadyExists => {
            Some("`thalweg topic describe` shows it; `--if-not-exists` makes this no error")
        }
        ErrorCode::InvalidReplicationFactor => {
            Some("a topic cannot have more replicas than there are brokers: see `thalweg cluster info`")
        }
        ErrorCode::InvalidPartitions => Some("the number of partitions is at least 1 and can only grow"),
        ErrorCode::InvalidTopicException => {
            Some("topic names have 1 to 249 of the characters a-z A-Z 0-9 . _ - and are neither `.` nor `..`")
        }
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge => {
            Some("raise the topic's limit: thalweg config set topic TOPIC max.message.bytes=BYTES")
        }
        ErrorCode::NotController | ErrorCode::LeaderNotAvailable | ErrorCode::NotLeaderOrFollower => {
            Some("leadership is moving: try again in a moment")
        }
        ErrorCode::RequestTimedOut => {
            Some("the brokers are slow or too few are up; wait longer with --timeout SECONDS")
        }
        ErrorCode::NotCoordinator | ErrorCode::CoordinatorLoadInProgress | ErrorCode::CoordinatorNotAvailable => {
            Some("the group's coordinator is starting or moving: try again in a moment")
        }
        ErrorCode::NonEmptyGroup => Some("stop the group's members first: `thalweg group describe` names them"),
        ErrorCode::UnsupportedVersion => Some("this broker is older than what the command needs"),
        ErrorCode::TopicDeletionDisabled => Some("the brokers run with delete.topic.enable=false"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Failure;

    #[test]
    fn a_refusal_has_the_brokers_words_and_kafkas_name() {
        let failure = Failure::refused("cannot create topic `a`", 36, Some("Topic 'a' already exists."));
        assert_eq!(failure.to_string(), "cannot create topic `a`: Topic 'a' already exists. (TOPIC_ALREADY_EXISTS)");
        assert!(failure.text(false).contains("\n  hint: `thalweg topic describe`"));
    }

    #[test]
    fn an_unknown_code_keeps_its_number() {
        assert_eq!(Failure::refused("x", 9999, None).to_string(), "x: error code 9999");
    }

    #[test]
    fn json_has_every_field_always() {
        assert_eq!(Failure::new("no").text(true), "{\"error\":{\"message\":\"no\",\"code\":null,\"hint\":null}}\n");
    }
}
