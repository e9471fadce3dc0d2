//! Where a connection lives: first on the core with the fewest, then where what it asks for is.
//!
//! A request that concerns another core costs two hops, each about half a durable write. A client that produces to, or
//! fetches from, partitions of one other core only is therefore moved there: between two requests, with its socket and
//! what was received behind the last one.

use std::cell::Cell;

use crate::reactor::CoreId;

/// Requests in a row that concern one other core alone, before a connection moves there the first time. Each move
/// doubles it, so that a client whose interest wanders comes to rest.
const STREAK_BEFORE_MOVE: u32 = 16;

/// Which core a connection should be on, as its requests tell.
pub(super) struct Placement {
    me: CoreId,
    moves: u32,
    streak: Cell<(CoreId, u32)>,
    destination: Cell<Option<CoreId>>,
}

impl Placement {
    pub(super) fn new(me: CoreId, moves: u32) -> Self {
        Self { me, moves, streak: Cell::new((me, 0)), destination: Cell::new(None) }
    }

    /// A request that concerns these cores.
    pub(super) fn note(&self, owners: impl Iterator<Item = CoreId>) {
        let Some(owner) = only(owners) else { return self.streak.set((self.me, 0)) };
        let (core, streak) = self.streak.get();
        let streak = if owner == core { streak.saturating_add(1) } else { 1 };
        self.streak.set((owner, streak));
        if owner != self.me && streak >= STREAK_BEFORE_MOVE << self.moves.min(16) {
            self.destination.set(Some(owner));
        }
    }

    /// A request that names all the connection will ask for (a fetch that begins a session): says whether it moves.
    pub(super) fn settle(&self, owners: impl Iterator<Item = CoreId>) -> bool {
        let Some(owner) = only(owners) else { return false };
        let moves = owner != self.me && self.moves == 0;
        if moves {
            self.destination.set(Some(owner));
        }
        moves
    }

    /// Where to move before the next request.
    pub(super) fn destination(&self) -> Option<CoreId> {
        self.destination.get()
    }

    /// Moves so far, with the one that is due.
    pub(super) fn moves_after(&self) -> u32 {
        self.moves + 1
    }
}

/// The one core, if it is one.
fn only(mut owners: impl Iterator<Item = CoreId>) -> Option<CoreId> {
    owners.next().filter(|_| owners.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(placement: &Placement, owners: &[usize], times: u32) -> Option<CoreId> {
        (0..times).for_each(|_| placement.note(owners.iter().copied().map(CoreId)));
        placement.destination()
    }

    #[test]
    fn a_connection_that_asks_one_other_core_only_moves_there() {
        let placement = Placement::new(CoreId(0), 0);
        assert_eq!(asked(&placement, &[1], STREAK_BEFORE_MOVE - 1), None);
        assert_eq!(asked(&placement, &[1], 1), Some(CoreId(1)));
    }

    #[test]
    fn one_that_asks_several_or_its_own_stays() {
        let placement = Placement::new(CoreId(0), 0);
        for owners in [&[0][..], &[0, 1], &[]] {
            assert_eq!(asked(&placement, &[1], STREAK_BEFORE_MOVE - 1), None);
            assert_eq!(asked(&placement, owners, 100), None);
        }
    }

    #[test]
    fn each_move_asks_for_a_longer_streak() {
        let placement = Placement::new(CoreId(0), 3);
        assert_eq!(asked(&placement, &[1], STREAK_BEFORE_MOVE * 8 - 1), None);
        assert_eq!(asked(&placement, &[1], 1), Some(CoreId(1)));
    }

    #[test]
    fn a_consumer_moves_once_before_it_has_a_session() {
        assert!(Placement::new(CoreId(0), 0).settle([CoreId(1)].into_iter()));
        assert!(!Placement::new(CoreId(0), 1).settle([CoreId(1)].into_iter()));
        assert!(!Placement::new(CoreId(0), 0).settle([CoreId(0)].into_iter()));
        assert!(!Placement::new(CoreId(0), 0).settle([CoreId(0), CoreId(1)].into_iter()));
    }
}
