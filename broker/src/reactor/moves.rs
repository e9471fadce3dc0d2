//! Moving replicas of this core between the data directories.

use std::path::Path;
use std::rc::Rc;

use thalweg_reactor::spawn;
use thalweg_storage::store::MoveAsked;
use thalweg_storage::types::GroupId;

use super::core::Core;
use super::fatal;

impl Core {
    /// Has a replica be in `log_dir`, sooner or later; false if it is not on this core.
    pub fn move_replica(self: &Rc<Self>, group: GroupId, log_dir: &Path) -> bool {
        match self.store.ask_move(group, log_dir) {
            MoveAsked::UnknownGroup => false,
            MoveAsked::Nothing => true,
            MoveAsked::Begun(token) => {
                let core = Rc::clone(self);
                // Ends with the store: one that is being closed gives up what it has not copied yet.
                spawn(async move {
                    if let Err(error) = core.store.carry_out_move(group, token).await
                        && !core.shared.is_stopping()
                    {
                        fatal(&format!("the storage of core {} failed: {error}", core.id.0));
                    }
                })
                .detach();
                true
            }
        }
    }
}
