//! Many Raft groups on one core, over the `raft` crate: events in, effects out.
//!
//! Nothing here opens a file or a socket, reads a clock or draws randomness. A [`MultiRaft`] belongs to one core and is
//! driven by that core's turn. Time is [`MultiRaft::tick`]; election timeouts come from the seed in [`RaftConfig`].
//!
//! # The driving contract
//! Within one turn, in this order:
//! 1. Feed events: [`step`](MultiRaft::step), [`propose`](MultiRaft::propose), [`tick`](MultiRaft::tick),
//!    [`persisted`](MultiRaft::persisted), [`entries_read`](MultiRaft::entries_read).
//! 2. Call [`take_ready`](MultiRaft::take_ready) until it gives nothing. For each [`GroupReady`]:
//!    1. `snapshot`, if any, replaces the group's whole log; then `entries` go to the end of the log (an entry whose index
//!       exists replaces it and all behind it); then `hard_state`. All of it into the write-ahead log, in this order.
//!    2. `role` may be acted on at once; a new leader serves only after it has applied an entry of its own term.
//!    3. `messages` may leave at once, even before the write: whatever promises persistence was held back by this driver.
//!    4. `committed` is applied, in order, and before the next turn. `membership` tells each change of members, later
//!       than the entry with it; a checkpoint keeps the members as of its index, and reaches no further than
//!       [`GroupStatus::applied`].
//!    5. `read_entries` and `snapshot_wanted` start background work that ends in `entries_read` and `snapshot_made`.
//!       Whoever ships a snapshot reports its end, good or bad, with [`snapshot_sent`](MultiRaft::snapshot_sent):
//!       until then nothing else is sent to that follower.
//! 3. Start the write. When it is on the device, call `persisted(group, number)` for each ready with `must_persist`, in
//!    the order they were taken (calling it for the others does nothing); then take ready again.
//!
//! Several readies of one group may be in flight. On restart, everything up to the last durable write must be there, and
//! nothing behind a hole.

#![expect(
    clippy::field_reassign_with_default,
    reason = "that is how the library's protobuf structs are meant to be filled"
)]

mod admit;
mod config;
mod convert;
mod error;
mod group;
mod membership;
mod message;
mod multi;
mod queue;
mod ready;
mod tail;
mod terms;
mod timeout;

pub use config::{GroupRestore, RaftConfig, node_id, raft_id};
pub use error::{MessageError, ProposeError, RaftError};
pub use membership::{Member, MemberChange, Membership, MembershipChange};
pub use message::{
    MessageLimits, PeerMessage, PeerMessageKind, PeerSnapshot, decode_message, decode_message_head, encode_message,
    encode_message_head,
};
pub use multi::MultiRaft;
pub use ready::{GroupReady, GroupSnapshot, GroupStatus, ReadyNumber, Role, RoleChange};
