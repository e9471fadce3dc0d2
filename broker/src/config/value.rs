//! From text to a typed value, by the rules of Kafka's `ConfigDef.parseType` and its validators, and in their words.

use std::fmt;

use super::schema::{Check, ConfigKey, ValueKind};

/// A value that has met its key's type and range.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// [`ValueKind::Boolean`].
    Boolean(bool),
    /// [`ValueKind::Int`], [`ValueKind::Short`] and [`ValueKind::Long`].
    Integer(i64),
    /// [`ValueKind::Double`].
    Double(f64),
    /// [`ValueKind::String`], [`ValueKind::Class`] and [`ValueKind::Password`].
    Text(String),
    /// [`ValueKind::List`].
    List(Vec<String>),
}

/// A value that its key cannot have. Reads like Kafka's `ConfigException`, so that tools which show it look familiar.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("Invalid value {given} for configuration {name}: {expected}")]
pub struct InvalidValue {
    /// The key.
    pub name: String,
    /// What was given; `[hidden]` for a secret.
    pub given: String,
    /// What would be right.
    pub expected: String,
}

impl ConfigKey {
    /// Parses and checks `text`.
    pub fn parse(&self, text: &str) -> Result<Value, InvalidValue> {
        let invalid = |expected: String| InvalidValue {
            name: self.name.to_owned(),
            given: if self.is_sensitive() { "[hidden]".to_owned() } else { text.to_owned() },
            expected,
        };
        let value = parse_kind(self.kind, text).map_err(invalid)?;
        check(self.check, &value).map_err(invalid)?;
        Ok(value)
    }

    /// The default, parsed; `None` where it is null.
    ///
    /// # Panics
    /// When the table holds a default that its own row forbids, which a test rules out.
    pub fn default_value(&self) -> Option<Value> {
        let parse = |text| self.parse(text).unwrap_or_else(|error| panic!("configuration table: {error}"));
        self.default.text().map(parse)
    }
}

fn parse_kind(kind: ValueKind, text: &str) -> Result<Value, String> {
    let text = text.trim();
    match kind {
        ValueKind::Boolean if text.eq_ignore_ascii_case("true") => Ok(Value::Boolean(true)),
        ValueKind::Boolean if text.eq_ignore_ascii_case("false") => Ok(Value::Boolean(false)),
        ValueKind::Boolean => Err("Expected value to be either true or false".to_owned()),
        ValueKind::Int => parse_integer(text, "INT", i32::MIN.into(), i32::MAX.into()),
        ValueKind::Short => parse_integer(text, "SHORT", i16::MIN.into(), i16::MAX.into()),
        ValueKind::Long => parse_integer(text, "LONG", i64::MIN, i64::MAX),
        ValueKind::Double => match text.parse::<f64>() {
            Ok(number) if !number.is_nan() => Ok(Value::Double(number)),
            _ => Err("Not a number of type DOUBLE".to_owned()),
        },
        ValueKind::List => Ok(Value::List(split_list(text))),
        ValueKind::String | ValueKind::Class | ValueKind::Password => Ok(Value::Text(text.to_owned())),
    }
}

fn parse_integer(text: &str, kind: &str, min: i64, max: i64) -> Result<Value, String> {
    match text.parse::<i64>() {
        Ok(number) if (min..=max).contains(&number) => Ok(Value::Integer(number)),
        _ => Err(format!("Not a number of type {kind}")),
    }
}

/// Kafka's list syntax: commas with any space around them; nothing at all is the empty list.
pub fn split_list(text: &str) -> Vec<String> {
    let text = text.trim();
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',').map(|part| part.trim().to_owned()).collect()
}

fn check(check: Check, value: &Value) -> Result<(), String> {
    let (ok, expected) = match (check, value) {
        (Check::AtLeast(min), Value::Integer(number)) => (*number >= min, format!("Value must be at least {min}")),
        (Check::Between(min, max), Value::Integer(number)) => (
            (min..=max).contains(number),
            // Kafka's Range names the one bound that was crossed.
            if *number < min {
                format!("Value must be at least {min}")
            } else {
                format!("Value must be no more than {max}")
            },
        ),
        (Check::BetweenOr(min, max, or), Value::Integer(number)) => (
            (min..=max).contains(number) || *number == or,
            format!("Value must be between {min} and {max} or equal to {or}"),
        ),
        (Check::Fraction(min, max), Value::Double(number)) => (
            (min..=max).contains(number),
            if *number < min {
                format!("Value must be at least {min}")
            } else {
                format!("Value must be no more than {max}")
            },
        ),
        (Check::OneOf(words), Value::Text(text)) => (words.contains(&text.as_str()), one_of(words)),
        (Check::OneOf(words), Value::List(list)) => {
            (list.iter().all(|word| words.contains(&word.as_str())), one_of(words))
        }
        (Check::OneOfAnyCase(words), Value::Text(text)) => {
            (words.iter().any(|word| word.eq_ignore_ascii_case(text)), one_of(words))
        }
        (Check::NonEmpty, Value::Text(text)) => (!text.is_empty(), "String must be non-empty".to_owned()),
        (Check::NonEmpty, Value::List(list)) => (!list.is_empty(), "List must have at least one element".to_owned()),
        (Check::ThrottledReplicas, Value::List(list)) => (throttled_replicas(list), THROTTLED_REPLICAS.to_owned()),
        _ => return Ok(()),
    };
    if ok { Ok(()) } else { Err(expected) }
}

fn one_of(words: &[&str]) -> String {
    format!("String must be one of: {}", words.join(", "))
}

const THROTTLED_REPLICAS: &str = "must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...";

fn throttled_replicas(list: &[String]) -> bool {
    let pair = |text: &String| match text.split_once(':') {
        Some((partition, broker)) => digits(partition) && digits(broker),
        None => false,
    };
    match list {
        [only] if only == "*" => true,
        pairs => pairs.iter().all(pair),
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl Check {
    /// The valid values for people; empty where every value of the type is allowed.
    pub fn describe(self) -> String {
        match self {
            Self::Any => String::new(),
            Self::AtLeast(min) => format!("{min} or more"),
            Self::Between(min, max) => format!("{min} to {max}"),
            Self::BetweenOr(min, max, or) => format!("{min} to {max}, or {or}"),
            Self::Fraction(min, max) => format!("{min} to {max}"),
            Self::OneOf(words) => words.join(", "),
            Self::OneOfAnyCase(words) => format!("{} (in any case)", words.join(", ")),
            Self::NonEmpty => "not empty".to_owned(),
            Self::ThrottledReplicas => "`*`, or `partition:broker` pairs between commas".to_owned(),
        }
    }
}

impl fmt::Display for Value {
    /// As `ConfigDef.convertToString` writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Double(value) => f.write_str(&format!("{value:?}").replace('e', "E")),
            Self::Text(text) => f.write_str(text),
            Self::List(list) => f.write_str(&list.join(",")),
        }
    }
}
