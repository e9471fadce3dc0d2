//! Keys of settings, as people type them.

use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::near::{either, near};

use super::{Entry, Resource, describe};
use thalweg_protocol::error::ErrorCode;

/// `key=value`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("this is not KEY=VALUE".to_owned()),
    }
}

/// The broker refused settings of a topic that does not exist yet: keys are compared with those of any topic there is.
pub(crate) fn with_suggestion<'a>(
    failure: Failure,
    cluster: &mut Cluster,
    keys: impl Iterator<Item = &'a str>,
) -> Failure {
    if failure.code() != Some(ErrorCode::InvalidConfig) {
        return failure;
    }
    let Some(topic) = cluster.topics().unwrap_or_default().into_iter().next() else { return failure };
    with_suggestion_for(failure, cluster, &Resource::Topic(topic.name), keys)
}

/// The broker refused settings: if a key is unknown, which ones are spelt nearly so?
pub(crate) fn with_suggestion_for<'a>(
    failure: Failure,
    cluster: &mut Cluster,
    resource: &Resource,
    keys: impl Iterator<Item = &'a str>,
) -> Failure {
    if !matches!(failure.code(), Some(ErrorCode::InvalidConfig | ErrorCode::InvalidRequest)) {
        return failure;
    }
    let Ok(known) = describe(cluster, resource, &[]) else { return failure };
    let Some(unknown) = keys.into_iter().find(|key| known.iter().all(|entry| entry.key != *key)) else {
        return failure;
    };
    failure.hint(hint(unknown, &known, resource))
}

/// What to say about a key that nobody knows.
pub(crate) fn hint(key: &str, known: &[Entry], resource: &Resource) -> String {
    let similar = near(key, known.iter().map(|entry| entry.key.as_str()));
    if !similar.is_empty() {
        return format!("did you mean {}?", either(&similar));
    }
    match resource {
        Resource::Topic(name) => format!("`thalweg config get topic {name} --all` lists the settings there are"),
        Resource::Broker(id) => format!("`thalweg config get broker {id} --all` lists the settings there are"),
        Resource::Brokers => "`thalweg config get broker ID --all` lists the settings there are".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::pair;

    #[test]
    fn pairs_split_at_the_first_equals_sign() {
        assert_eq!(pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(pair("a="), Ok(("a".to_owned(), String::new())));
        assert!(pair("a").is_err());
        assert!(pair("=a").is_err());
    }
}
