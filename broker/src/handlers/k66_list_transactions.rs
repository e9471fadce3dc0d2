//! ListTransactions: v0-2 (KIP-664)
//!
//! Version notes:
//! - v1 filters by how long a transaction runs (KIP-994)
//! - v2 filters by a pattern of the transactional id (KIP-1152), which must match the whole id

use regex::{Regex, RegexBuilder};
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::list_transactions_response::TransactionState;
use thalweg_protocol::messages::{ListTransactionsRequest, ListTransactionsResponse, ProducerId, TransactionalId};
use thalweg_protocol::{ProducerId as Id, StrBytes};

use super::transactions;
use crate::coordinator::transaction::{Filter, State};
use crate::dispatch::Context;
use crate::limits::PATTERN_SIZE_MAX_BYTES;

pub async fn handle(context: Context, request: ListTransactionsRequest) -> ListTransactionsResponse {
    let (known, unknown): (Vec<_>, Vec<_>) =
        request.state_filters.iter().map(|name| (State::from_name(name), name)).partition(|(state, _)| state.is_some());
    let response = ListTransactionsResponse::default()
        .with_unknown_state_filters(unknown.into_iter().map(|(_, name)| name.clone()).collect());
    let pattern = match request.transactional_id_pattern.as_deref().filter(|text| !text.is_empty()).map(compile) {
        Some(Err(code)) => return ListTransactionsResponse::default().with_error_code(code.code()),
        pattern => pattern.and_then(Result::ok),
    };
    let filter = Filter {
        states: (!request.state_filters.is_empty()).then(|| known.into_iter().filter_map(|(state, _)| state).collect()),
        producer_ids: request.producer_id_filters.iter().map(|id| Id(id.0)).collect(),
        duration_ms: (request.duration_filter >= 0).then_some(request.duration_filter),
        pattern,
    };
    match transactions::read_all(&context, move |shard, now| shard.list(&filter, now)).await {
        Ok(listed) => {
            let states = listed.into_iter().flatten().map(|listed| {
                TransactionState::default()
                    .with_transactional_id(TransactionalId(listed.id))
                    .with_producer_id(ProducerId(listed.producer_id.0))
                    .with_transaction_state(StrBytes::from_static_str(listed.state.name()))
            });
            response.with_transaction_states(states.collect())
        }
        Err(code) => ListTransactionsResponse::default().with_error_code(code.code()),
    }
}

/// A pattern that must match everything.
fn compile(pattern: &str) -> Result<Regex, ErrorCode> {
    // By itself first: what is put around it must not make something valid of it.
    let built = |text: &str| RegexBuilder::new(text).size_limit(PATTERN_SIZE_MAX_BYTES).build();
    built(pattern).and_then(|_| built(&format!(r"\A(?:{pattern})\z"))).map_err(|_| ErrorCode::InvalidRegularExpression)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn patterns_match_the_whole_id() {
        let pattern = compile("my-.*|b").unwrap();
        for (id, matches) in [("my-app", true), ("b", true), ("not my-app", false), ("bb", false), ("my-\n", false)] {
            assert_eq!(pattern.is_match(id), matches, "{id:?}");
        }
        for bad in ["(", "a)|(b", "(?:x{1000}){1000}"] {
            assert_eq!(compile(bad).unwrap_err(), ErrorCode::InvalidRegularExpression, "{bad}");
        }
    }
}
