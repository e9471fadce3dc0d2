//! The transactions of a cluster: every broker lists those that it coordinates.

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::describe_transactions_response::TransactionState;
use thalweg_protocol::messages::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, ListTransactionsRequest, TransactionalId,
};

use crate::cli::Global;
use crate::cluster::{Cluster, text};
use crate::coordinator::{self, Coordinates, patiently};
use crate::failure::Failure;

/// A transactional id as its coordinator lists it.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) id: String,
    pub(crate) producer_id: i64,
    pub(crate) state: String,
    pub(crate) coordinator: i32,
}

/// Every transactional id that passes the request's filters, by name.
pub(crate) fn all(
    cluster: &mut Cluster,
    global: &Global,
    request: &ListTransactionsRequest,
) -> Result<Vec<Listed>, Failure> {
    let brokers: Vec<i32> = cluster.metadata(Some(&[]))?.brokers.iter().map(|broker| broker.node_id.0).collect();
    let mut listed = Vec::new();
    for broker in brokers {
        let (code, answer) = patiently(global, || {
            let answer = cluster.node(broker)?.call(request)?;
            Ok((answer.error_code, answer))
        })?;
        if code != ErrorCode::None.code() {
            return Err(Failure::refused(format!("broker {broker} cannot list its transactions"), code, None));
        }
        if let Some(unknown) = answer.unknown_state_filters.first() {
            return Err(Failure::usage(format!("there is no state `{unknown}`")).hint(STATES_HINT));
        }
        listed.extend(answer.transaction_states.into_iter().map(|state| Listed {
            id: state.transactional_id.0.to_string(),
            producer_id: state.producer_id.0,
            state: state.transaction_state.to_string(),
            coordinator: broker,
        }));
    }
    listed.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(listed)
}

const STATES_HINT: &str = "states are Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit and CompleteAbort";

/// One transactional id, as its coordinator describes it.
pub(crate) fn describe(cluster: &mut Cluster, global: &Global, id: &str) -> Result<TransactionState, Failure> {
    let code_of = |answer: &DescribeTransactionsResponse| {
        answer.transaction_states.first().map_or(ErrorCode::UnknownServerError.code(), |state| state.error_code)
    };
    let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![TransactionalId(text(id))]);
    let answer = coordinator::call_of(Coordinates::Transaction, cluster, global, id, &request, code_of)?;
    let code = code_of(&answer);
    match answer.transaction_states.into_iter().next() {
        Some(state) if code == ErrorCode::None.code() => Ok(state),
        _ => {
            let failure = Failure::refused(format!("cannot describe transactional id `{id}`"), code, None);
            Err(if failure.code() == Some(ErrorCode::TransactionalIdNotFound) {
                failure.hint("`thalweg txn list` shows all; an id is forgotten when it was not used for a week")
            } else {
                failure
            })
        }
    }
}
