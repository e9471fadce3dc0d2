//! From the controller's log to the cores: reading it at start, and handing every new image to every core.

use std::cell::Cell;
use std::rc::Rc;

use thalweg_protocol::records::BatchView;

use super::GROUP;
use crate::reactor::{Core, fatal};

impl Core {
    /// Reads the controller's log from its start to what is committed, applying all of it. What is committed later is
    /// applied as it comes.
    pub(crate) async fn load_controller(self: &Rc<Self>) {
        let Some(controller) = &self.controller else { return };
        let Some(log) = self.store.log(GROUP) else { return };
        let applied = Cell::new(log.borrow().log_start_offset());
        // More may be committed while it is read.
        loop {
            let carry_out = |batch: BatchView<'_>| {
                controller.carry_out(applied.get(), None, batch.bytes).map(|next| applied.set(next))
            };
            if let Err(error) = self.replay(GROUP, carry_out).await {
                fatal(&format!("the controller's log cannot be read, and without it no topic is known: {error}"));
            }
            if applied.get() >= log.borrow().high_watermark() {
                break;
            }
        }
        controller.applied.set(Some(applied.get()));
        controller.changed.raise();
    }

    /// Hands each new image to all cores. Images that came in between are skipped: the newest has them all.
    pub(crate) async fn run_publisher(self: Rc<Self>) {
        let Some(controller) = &self.controller else { return };
        let mut seen = 0;
        loop {
            seen = controller.changed.wait(seen).await;
            let image = controller.image();
            self.refresh_directory();
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
