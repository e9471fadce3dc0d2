//! What only recovery does to a log.

use std::path::PathBuf;
use std::rc::Rc;

use thalweg_protocol::KafkaOffset;

use super::PartitionLog;

impl PartitionLog {
    /// A log start that was recorded. What it refers to may be behind what is known to be committed yet: it was committed
    /// when it was recorded, so everything before it is.
    pub(crate) fn replay_log_start(&mut self, offset: KafkaOffset) {
        let reached = self.tail.iter().take_while(|entry| entry.next_offset <= offset).last();
        if let Some(index) = reached.map(|entry| entry.entry.index)
            && index > self.commit
        {
            self.commit(index);
        }
        self.log_start = self.log_start.max(offset.min(self.high_watermark));
        self.drop_segments_below_start();
    }

    /// All records are applied: the last commit hint holds.
    pub(crate) fn finish_replay(&mut self) {
        let hint = self.hard_state.commit.min(self.last_index());
        if hint > self.commit {
            self.commit(hint);
        }
    }

    /// The data directory was moved since the log was created: what counts is where it is configured to be.
    pub(crate) fn relocate(&mut self, log_dirs: &[PathBuf]) {
        let [only] = log_dirs else { return };
        let dir = &self.descriptor.dir;
        if dir.starts_with(only) {
            return;
        }
        let Some(name) = dir.file_name().map(PathBuf::from) else { return };
        let mut descriptor = self.descriptor.as_ref().clone();
        descriptor.dir = only.join(name);
        self.descriptor = Rc::new(descriptor);
    }
}
