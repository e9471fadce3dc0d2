//! Transactions of a partition: markers as coordinators decide them, and producers that are to be vouched for.

use bytes::{Bytes, BytesMut};
use futures::channel::oneshot;
use thalweg_protocol::TimestampMs;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::records::{BatchHeader, Marker, control};
use thalweg_storage::log::producers::EndRequest;

use super::Partition;
use super::append::ALL;
use super::verification::{Beginning, Guard};
use crate::reactor::Core;

impl Partition {
    /// The guard under which the coordinator is to be asked about a batch, if it is to be asked: an open transaction is
    /// known to it.
    pub fn begin_transaction(&mut self, beginning: Beginning) -> Result<Option<Guard>, ErrorCode> {
        if !self.serves() {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        let is_open = self.log.borrow().producers().has_open_transaction(beginning.producer, beginning.epoch);
        Ok((!is_open).then(|| self.verifications.begin(beginning)))
    }

    /// Writes the marker that ends a producer's transaction; resolves once that is committed.
    pub fn end_transaction(
        &mut self,
        core: &Core,
        end: &EndRequest,
        marker: Marker,
        now: TimestampMs,
    ) -> Result<oneshot::Receiver<Result<(), ErrorCode>>, ErrorCode> {
        self.check_writable(core, ALL).map_err(|rejection| rejection.code)?;
        self.log.borrow().producers().check_end(end)?;
        let batch = control::marker_batch(marker, end.coordinator_epoch, end.producer, end.epoch, now);
        // One small record fits any batch.
        let batch = batch.map_err(|_| ErrorCode::UnknownServerError)?;
        self.lead_append(core, BytesMut::from(batch)).map_err(|_| ErrorCode::NotLeaderOrFollower)?;
        self.verifications.end(end.producer);
        Ok(self.await_all())
    }

    /// Appends offsets that the group coordinator stores for a transaction; resolves once they are committed.
    pub fn append_offsets(
        &mut self,
        core: &Core,
        batch: &Bytes,
        guard: Option<Guard>,
    ) -> Result<oneshot::Receiver<Result<(), ErrorCode>>, ErrorCode> {
        self.check_writable(core, ALL).map_err(|rejection| rejection.code)?;
        let header = BatchHeader::parse(batch).map_err(|_| ErrorCode::UnknownServerError)?;
        let claim = self.claim(core, &header, guard);
        self.log.borrow().producers().check_offsets(&header, claim)?;
        self.lead_append(core, BytesMut::from(batch.as_ref())).map_err(|_| ErrorCode::NotLeaderOrFollower)?;
        self.verifications.end(header.producer_id);
        Ok(self.await_all())
    }
}
