//! From the controller's log to the cores: reading it at start, and handing every new image to every core.

use std::rc::Rc;

use super::GROUP;
use crate::reactor::{Core, fatal};

impl Core {
    /// Reads the controller's log from its start to its end, applying all of it. Group 0 must lead already.
    pub(crate) async fn load_controller(self: &Rc<Self>) {
        let Some(controller) = &self.controller else { return };
        let Some(log) = self.store.log(GROUP) else { return };
        controller.applied.set(Some(log.borrow().log_start_offset()));
        if let Err(error) = self.replay(GROUP, |batch| controller.apply_batch(None, batch.bytes)).await {
            fatal(&format!("the controller's log cannot be read, and without it no topic is known: {error}"));
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
