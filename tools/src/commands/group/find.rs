//! The groups of a cluster: every broker lists those that it coordinates.

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::ListGroupsRequest;

use crate::cli::Global;
use crate::cluster::Cluster;
use crate::coordinator::patiently;
use crate::failure::Failure;
use crate::near::{either, near};

/// What a broker that knows no types of groups has.
const CLASSIC: &str = "Classic";

/// A group as its coordinator lists it.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) group: String,
    /// Kafka's word: Classic, Consumer, Share or Streams.
    pub(crate) kind: String,
    /// `consumer` for groups of consumers, what a client made up for others; empty for simple ones that only commit.
    pub(crate) protocol: String,
    /// `None` from brokers older than KIP-518.
    pub(crate) state: Option<String>,
    pub(crate) coordinator: i32,
}

/// Every group, by name.
pub(crate) fn all(cluster: &mut Cluster, global: &Global) -> Result<Vec<Listed>, Failure> {
    let brokers: Vec<i32> = cluster.metadata(Some(&[]))?.brokers.iter().map(|broker| broker.node_id.0).collect();
    let mut groups = Vec::new();
    for broker in brokers {
        let (code, answer) = patiently(global, || {
            let answer = cluster.node(broker)?.call(&ListGroupsRequest::default())?;
            Ok((answer.error_code, answer))
        })?;
        if code != ErrorCode::None.code() {
            return Err(Failure::refused(format!("broker {broker} cannot list its groups"), code, None));
        }
        groups.extend(answer.groups.into_iter().map(|group| Listed {
            group: group.group_id.0.to_string(),
            kind: if group.group_type.is_empty() { CLASSIC.to_owned() } else { capitalized(&group.group_type) },
            protocol: group.protocol_type.to_string(),
            state: (!group.group_state.is_empty()).then(|| group.group_state.to_string()),
            coordinator: broker,
        }));
    }
    groups.sort_by(|a, b| a.group.cmp(&b.group));
    Ok(groups)
}

/// One of the groups, or an error that names those with a similar name.
pub(crate) fn one<'a>(groups: &'a [Listed], name: &str) -> Result<&'a Listed, Failure> {
    groups.iter().find(|listed| listed.group == name).ok_or_else(|| unknown(groups, name))
}

/// There is no such group; which ones are spelt nearly so?
pub(crate) fn unknown(groups: &[Listed], name: &str) -> Failure {
    let similar = near(name, groups.iter().map(|listed| listed.group.as_str()));
    let hint = if similar.is_empty() {
        "`thalweg group list` shows all".to_owned()
    } else {
        format!("did you mean {}?", either(&similar))
    };
    Failure::new(format!("there is no group `{name}`")).with_code(ErrorCode::GroupIdNotFound).hint(hint)
}

/// Brokers write the type of a group in capitals here and small letters there.
fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{Listed, capitalized, one};

    fn listed(name: &str) -> Listed {
        Listed { group: name.to_owned(), kind: "Classic".into(), protocol: String::new(), state: None, coordinator: 1 }
    }

    #[test]
    fn an_unknown_group_is_met_with_similar_ones() {
        let groups = [listed("billing"), listed("shipping")];
        assert_eq!(one(&groups, "billing").map(|group| group.group.as_str()), Ok("billing"));
        let failure = one(&groups, "biling").map(|_| ()).unwrap_err();
        assert_eq!(failure.to_string(), "there is no group `biling`");
    }

    #[test]
    fn types_are_shown_as_kafka_names_them() {
        assert_eq!(
            (capitalized("classic"), capitalized("Share"), capitalized("")),
            ("Classic".into(), "Share".into(), String::new())
        );
    }
}
