//! The broker that looks after a group or a transactional id: found, asked, and found again when that has moved.

use std::thread;
use std::time::{Duration, Instant};

use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::FindCoordinatorRequest;

use crate::cli::Global;
use crate::cluster::{Cluster, text};
use crate::failure::Failure;
use crate::wire::Call;

/// From this version on, one request looks for several coordinators (KIP-699).
const VERSION_WITH_KEYS: i16 = 4;
/// How long to leave a coordinator that is starting or moving alone.
const PAUSE: Duration = Duration::from_millis(50);

/// Whether the same request may well succeed a moment later.
pub(crate) fn is_passing(code: i16) -> bool {
    matches!(
        ErrorCode::from_code(code),
        Some(ErrorCode::CoordinatorLoadInProgress | ErrorCode::CoordinatorNotAvailable | ErrorCode::NotCoordinator)
    )
}

/// Does `attempt` until what it gives is no passing error any more, or the time is over; then the last answer counts.
pub(crate) fn patiently<T>(
    global: &Global,
    mut attempt: impl FnMut() -> Result<(i16, T), Failure>,
) -> Result<(i16, T), Failure> {
    let deadline = Instant::now() + global.timeout();
    loop {
        let (code, answer) = attempt()?;
        if !is_passing(code) || Instant::now() >= deadline {
            return Ok((code, answer));
        }
        thread::sleep(PAUSE);
    }
}

/// What has a coordinator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Coordinates {
    Group,
    Transaction,
}

impl Coordinates {
    /// Kafka's `FindCoordinatorRequest.CoordinatorType`.
    const fn key_type(self) -> i8 {
        match self {
            Self::Group => 0,
            Self::Transaction => 1,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Transaction => "transactional id",
        }
    }
}

/// Asks a group's coordinator; `code_of` is the answer's error for the group as a whole.
pub(crate) fn call<C: Call>(
    cluster: &mut Cluster,
    global: &Global,
    group: &str,
    request: &C,
    code_of: impl Fn(&C::Response) -> i16,
) -> Result<C::Response, Failure> {
    call_of(Coordinates::Group, cluster, global, group, request, code_of)
}

/// As [`call`], of whatever has a coordinator.
pub(crate) fn call_of<C: Call>(
    what: Coordinates,
    cluster: &mut Cluster,
    global: &Global,
    key: &str,
    request: &C,
    code_of: impl Fn(&C::Response) -> i16,
) -> Result<C::Response, Failure> {
    let attempt = || {
        let (code, node) = find(what, cluster, key)?;
        if code != ErrorCode::None.code() {
            return Ok((code, None));
        }
        let answer = cluster.node(node)?.call(request)?;
        Ok((code_of(&answer), Some(answer)))
    };
    match patiently(global, attempt)? {
        (_, Some(answer)) => Ok(answer),
        (code, None) => {
            Err(Failure::refused(format!("cannot find the coordinator of {} `{key}`", what.name()), code, None))
        }
    }
}

/// The error code, and the broker when there is none.
fn find(what: Coordinates, cluster: &mut Cluster, key: &str) -> Result<(i16, i32), Failure> {
    let connection = cluster.any();
    let request = FindCoordinatorRequest::default().with_key_type(what.key_type());
    if connection.version::<FindCoordinatorRequest>()? < VERSION_WITH_KEYS {
        let answer = connection.call(&request.with_key(text(key)))?;
        return Ok((answer.error_code, answer.node_id.0));
    }
    let request = request.with_coordinator_keys(vec![text(key)]);
    let answer = connection.call(&request)?;
    let found = answer.coordinators.first();
    Ok(found.map_or((ErrorCode::CoordinatorNotAvailable.code(), -1), |found| (found.error_code, found.node_id.0)))
}

/// What a broker says beside its error code, if it says anything.
pub(crate) fn said(message: Option<&StrBytes>) -> Option<&str> {
    message.map(StrBytes::as_str)
}
