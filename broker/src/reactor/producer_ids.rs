//! Producer ids that nobody has: from blocks that the controller hands out, so that no id is ever given twice.

use std::rc::Rc;

use thalweg_protocol::ProducerId;

use super::core::{Core, IdBlock};
use crate::controller::{Command, ControllerError, Outcome};
use crate::limits::PRODUCER_ID_BLOCK_SIZE;

impl Core {
    /// The next id of this core's block; a new block when that is used up.
    pub async fn next_producer_id(self: &Rc<Self>) -> Result<ProducerId, ControllerError> {
        let ids = self.producer_ids.get();
        if ids.start < ids.end {
            self.producer_ids.set(IdBlock { start: ids.start + 1, end: ids.end });
            return Ok(ProducerId(ids.start));
        }
        let node_id = self.shared.config.node_id.0;
        let allocate = Command::AllocateProducerIds { node_id, count: PRODUCER_ID_BLOCK_SIZE };
        match self.change(allocate).await? {
            Outcome::ProducerIds(first) => {
                self.producer_ids.set(IdBlock { start: first + 1, end: first + PRODUCER_ID_BLOCK_SIZE });
                Ok(ProducerId(first))
            }
            Outcome::Done => Err(ControllerError::Unwritable("the controller handed out no producer ids".to_owned())),
        }
    }
}
