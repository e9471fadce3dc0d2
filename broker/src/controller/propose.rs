//! Asking the controller for a change: from any core, answered once the change is committed and every core has it.

use std::rc::Rc;
use std::time::Duration;

use futures::channel::oneshot;

use super::{Applied, Command, GROUP, Outcome, Rejection, log};
use crate::limits::METADATA_SETTLE_TIME_MAX;
use crate::reactor::{Core, CoreId, Stopping, within};

/// Why a change did not come about, or is not known to have.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ControllerError {
    #[error(transparent)]
    Rejected(#[from] Rejection),
    #[error("this node is not the controller")]
    NotController,
    #[error("the change was not carried out within {0:?}")]
    TimedOut(Duration),
    #[error("the command could not be written: {0}")]
    Unwritable(String),
    #[error(transparent)]
    Stopping(#[from] Stopping),
}

impl Core {
    /// Has the controller apply `command`, and waits until all cores have carried it out.
    pub async fn change(self: &Rc<Self>, command: Command) -> Result<Outcome, ControllerError> {
        let mut outcomes = self.change_all(vec![command]).await?;
        outcomes.pop().ok_or(ControllerError::NotController)?.map_err(ControllerError::from)
    }

    /// The same for several commands that share their way to the disk; the outcomes are in the commands' order.
    pub async fn change_all(self: &Rc<Self>, commands: Vec<Command>) -> Result<Vec<Applied>, ControllerError> {
        let (outcomes, version) =
            self.on(CoreId::FIRST, move |core| async move { core.propose_commands(commands).await }).await??;
        let settled = self.settle(version);
        within(METADATA_SETTLE_TIME_MAX, settled)
            .await
            .ok_or(ControllerError::TimedOut(METADATA_SETTLE_TIME_MAX))??;
        Ok(outcomes)
    }

    /// On the controller's core: proposes and waits for the outcomes; also the image's version that has them all.
    async fn propose_commands(self: Rc<Self>, commands: Vec<Command>) -> Result<(Vec<Applied>, u64), ControllerError> {
        let controller = self.controller.as_ref().ok_or(ControllerError::NotController)?;
        let mut waiting = Vec::with_capacity(commands.len());
        for command in &commands {
            waiting.push(self.propose_command(command)?);
        }
        let mut outcomes = Vec::with_capacity(waiting.len());
        for outcome in waiting {
            outcomes.push(outcome.await.map_err(|_| ControllerError::NotController)?);
        }
        let version = controller.image.borrow().version;
        Ok((outcomes, version))
    }

    fn propose_command(&self, command: &Command) -> Result<oneshot::Receiver<Applied>, ControllerError> {
        let controller = self.controller.as_ref().ok_or(ControllerError::NotController)?;
        let unwritable = |error: &dyn std::fmt::Display| ControllerError::Unwritable(error.to_string());
        let batch = log::batch(command, self.now()).map_err(|error| unwritable(&error))?;
        let (index, term) = self
            .with_partition(GROUP, |partition| partition.lead_append(self, batch))
            .ok_or(ControllerError::NotController)?
            .map_err(|error| unwritable(&error))?;
        let (sender, receiver) = oneshot::channel();
        controller.waiting.borrow_mut().insert(index, (term, sender));
        Ok(receiver)
    }
}
