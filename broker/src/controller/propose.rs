//! Asking the controller for a change: from any core of any node, answered once the change is committed and every core of
//! this node has it. Where another node leads the controller's group, the commands travel there.

use std::rc::Rc;
use std::time::{Duration, Instant};

use futures::channel::oneshot;

use thalweg_raft::ProposeError;

use super::{Applied, Command, GROUP, Outcome, Rejection, log};
use crate::limits::{CONTROLLER_SEARCH_INTERVAL, CONTROLLER_SEARCH_TIME_MAX, METADATA_SETTLE_TIME_MAX};
use crate::partition::AppendError;
use crate::reactor::{Core, CoreId, Stopping, within};

/// Why a change did not come about, or is not known to have.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ControllerError {
    #[error(transparent)]
    Rejected(#[from] Rejection),
    #[error("this node is not the controller")]
    NotController,
    #[error("the controller did not answer; whether the change was made is not known")]
    Unheard,
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
        let (outcomes, version) = self.command(commands).await?;
        let settled = self.settle(version);
        within(METADATA_SETTLE_TIME_MAX, settled)
            .await
            .ok_or(ControllerError::TimedOut(METADATA_SETTLE_TIME_MAX))??;
        Ok(outcomes)
    }

    /// Has the commands applied, wherever the controller is; also the image's version that has them all, which this node
    /// need not have reached.
    pub(crate) async fn command(
        self: &Rc<Self>,
        commands: Vec<Command>,
    ) -> Result<(Vec<Applied>, u64), ControllerError> {
        self.on(CoreId::FIRST, move |core| async move { core.propose_or_forward(commands).await }).await?
    }

    /// On the controller's core. While nobody leads, or another node just stopped to, it is tried again: nothing was proposed.
    async fn propose_or_forward(
        self: Rc<Self>,
        commands: Vec<Command>,
    ) -> Result<(Vec<Applied>, u64), ControllerError> {
        let until = Instant::now() + CONTROLLER_SEARCH_TIME_MAX;
        loop {
            let leader = self.with_partition(GROUP, |partition| partition.leader().node).flatten();
            let proposed = match leader {
                Some(node) if node == self.shared.config.node_id => {
                    Rc::clone(&self).propose_commands(commands.clone()).await
                }
                Some(node) => self.forward_commands(node, commands.clone()).await,
                None => Err(ControllerError::NotController),
            };
            match proposed {
                Err(ControllerError::NotController) if Instant::now() < until && !self.shared.is_stopping() => {
                    crate::reactor::sleep(CONTROLLER_SEARCH_INTERVAL).await;
                }
                other => return other,
            }
        }
    }

    /// On the controller's core: proposes and waits for the outcomes.
    pub(crate) async fn propose_commands(
        self: Rc<Self>,
        commands: Vec<Command>,
    ) -> Result<(Vec<Applied>, u64), ControllerError> {
        let controller = self.controller.as_ref().ok_or(ControllerError::NotController)?;
        let mut waiting = Vec::with_capacity(commands.len());
        for command in &commands {
            waiting.push(self.propose_command(command)?);
        }
        let mut outcomes = Vec::with_capacity(waiting.len());
        for outcome in waiting {
            outcomes.push(outcome.await.map_err(|_| ControllerError::Unheard)?);
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
            .map_err(|error| match error {
                AppendError::NotLeader
                | AppendError::Propose(ProposeError::NotLeader { .. } | ProposeError::Transferring { .. }) => {
                    ControllerError::NotController
                }
                error @ AppendError::Propose(_) => unwritable(&error),
            })?;
        let (sender, receiver) = oneshot::channel();
        controller.waiting.borrow_mut().insert(index, (term, sender));
        Ok(receiver)
    }
}
