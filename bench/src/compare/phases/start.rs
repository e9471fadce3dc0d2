//! Process start (before the fork) to readiness, on an empty directory.

use anyhow::Result;

use crate::compare::session::Session;

pub(super) fn run(session: &mut Session<'_>) -> Result<()> {
    let ready_ms = session.broker.ready_ms;
    session.row("start", "empty directory, to readiness", vec![("ready_ms".to_owned(), ready_ms)])
}
