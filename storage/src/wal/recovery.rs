//! Where the log ends, and whether it should: the decision table of recovery.
//!
//! A power cut leaves the last blocks torn, or missing while later ones arrived, since several writes are in flight. What
//! is missing there was never acknowledged: it is cut. The same hole further back is damage, and cutting there would lose
//! acknowledged records silently. The two are told apart by what later blocks say was durable when they were written.

/// What stands where the next block is expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Here {
    /// The block with the expected number.
    Expected,
    /// No whole block: end of file, zeros, a torn or rotten block.
    Nothing,
    /// A whole block of the file's earlier life.
    Stale,
    /// A block of this file with a higher number than expected.
    Ahead,
    /// A block of this file with a lower number than expected: a file is written once, upwards.
    Behind,
    /// A block written for a file that comes later: files are not copied over each other.
    Foreign,
}

/// What the rest of this file and later files say about the expected block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Later {
    /// Nothing: no later block, or none that knew the expected one durable.
    Silent,
    /// The next file begins with exactly the expected block: the writer went on there, being at the end of this file or
    /// having cut it after an earlier crash.
    Continues,
    /// A later block was written knowing that the expected one was durable.
    Durable,
    /// A later file holds blocks with lower numbers.
    Overlaps,
}

/// What recovery does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Replay the block and go on behind it.
    Accept,
    /// Go on in the next file.
    NextFile,
    /// The log ends here. What follows was never acknowledged.
    Cut,
    /// Acknowledged records are gone. Stop, and say where.
    Corrupt,
}

impl Here {
    pub const ALL: [Self; 6] = [Self::Expected, Self::Nothing, Self::Stale, Self::Ahead, Self::Behind, Self::Foreign];
}

impl Later {
    pub const ALL: [Self; 4] = [Self::Silent, Self::Continues, Self::Durable, Self::Overlaps];
}

/// The table. `Expected` with `Continues` is a block that was cut once and reads well now: the later file wins, as
/// everything behind it was built on that.
pub const fn decide(here: Here, later: Later) -> Decision {
    use {Decision as D, Here as H, Later as L};
    match (here, later) {
        (H::Behind | H::Foreign, _) => D::Corrupt,
        (_, L::Overlaps) => D::Corrupt,
        (_, L::Continues) => D::NextFile,
        (H::Expected, L::Silent | L::Durable) => D::Accept,
        (H::Nothing | H::Stale | H::Ahead, L::Durable) => D::Corrupt,
        (H::Nothing | H::Stale | H::Ahead, L::Silent) => D::Cut,
    }
}
