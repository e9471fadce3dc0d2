//! From the controller's log to the cores: reading it at start, and handing every new image to every core.

use std::rc::Rc;

use thalweg_protocol::records::batches;

use super::GROUP;
use crate::reactor::{Core, fatal};

/// How much of the controller's log is read at a time.
const READ_SIZE_BYTES: usize = 1024 * 1024;

impl Core {
    /// Reads the controller's log from its start to its end, applying all of it. Group 0 must lead already.
    pub(crate) async fn load_controller(self: &Rc<Self>) {
        let Some(controller) = &self.controller else { return };
        let Some(log) = self.store.log(GROUP) else { return };
        let mut position = log.borrow().log_start_offset();
        let end = log.borrow().high_watermark();
        controller.applied.set(Some(position));
        while position < end {
            let read = match thalweg_storage::log::read(&log, position, end, READ_SIZE_BYTES).await {
                Ok(read) => read,
                Err(error) => fatal(&format!("the controller's log cannot be read: {error}")),
            };
            let before = position;
            for piece in &read.batches {
                for batch in batches(piece).flatten() {
                    position = batch.header.next_offset().max(position);
                    controller.apply_batch(None, batch.bytes);
                }
            }
            if position == before {
                fatal(&format!("the controller's log holds nothing at offset {position}, before its end {end}"));
            }
        }
        controller.changed.raise();
    }

    /// Hands each new image to all cores. Images that came in between are skipped: the newest has them all.
    pub(crate) async fn run_publisher(self: Rc<Self>) {
        let Some(controller) = &self.controller else { return };
        let mut seen = 0;
        loop {
            seen = controller.changed.wait(seen).await;
            let image = controller.image();
            let handed = self.cores().map(|target| {
                let image = std::sync::Arc::clone(&image);
                self.on(target, move |core| {
                    core.adopt(image);
                    async {}
                })
            });
            futures::future::join_all(handed).await;
        }
    }
}
