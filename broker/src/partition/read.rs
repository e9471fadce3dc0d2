//! What a fetch or an offset query may see of a partition.

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::{KafkaOffset, LeaderEpoch};

use super::Partition;

/// A client's idea of the leader epoch, held against ours (KIP-320).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochCheck(pub LeaderEpoch);

impl Partition {
    /// Whether this replica may answer a client that believes in this leader epoch.
    pub fn check_leader(&self, believed: EpochCheck) -> Result<(), ErrorCode> {
        if !self.serves() {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        let believed = believed.0;
        if believed == LeaderEpoch::NONE || believed == self.leader_epoch() {
            Ok(())
        } else if believed < self.leader_epoch() {
            Err(ErrorCode::FencedLeaderEpoch)
        } else {
            Err(ErrorCode::UnknownLeaderEpoch)
        }
    }

    /// Whether an offset can be read: from the log start up to the high watermark, which is "nothing yet".
    pub fn check_offset(&self, offset: KafkaOffset) -> Result<(), ErrorCode> {
        if offset < self.log_start_offset() || offset > self.high_watermark() {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        Ok(())
    }

    /// The divergence that a consumer must be told of before it reads on (KIP-595's fetch field, KIP-320's rule): the
    /// end of the newest epoch not larger than the one of its last record, if that end lies before its position.
    pub fn divergence(&self, last_fetched: LeaderEpoch, offset: KafkaOffset) -> Option<(LeaderEpoch, KafkaOffset)> {
        if last_fetched == LeaderEpoch::NONE {
            return None;
        }
        let (epoch, end) = self.log.borrow().end_offset_for_epoch(last_fetched);
        (epoch < last_fetched || end < offset).then_some((epoch, end))
    }
}
