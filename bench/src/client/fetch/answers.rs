//! Answers to Fetch, one after the other in the same memory.

use std::io::{ErrorKind, Read as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use thalweg_protocol::{FetchView, FrameLimits, frame_len};

/// What an answer may have beyond the bytes that were asked for: a broker gives the first batch whole, however large
/// (KIP-74), and each of its partitions takes some bytes without records.
const BEYOND_BYTES: usize = 32 << 20;
/// Memory grows in such steps at least.
const STEP_BYTES: usize = 256 << 10;
/// How often a read that waits looks whether it should give up.
const LOOK: Duration = Duration::from_millis(50);

/// The receiving half of a connection over which records are fetched. Holds the largest answer there was, at most
/// `fetch_max_bytes` and 32 MiB.
pub(crate) struct Answers {
    stream: TcpStream,
    peer: String,
    version: i16,
    limits: FrameLimits,
    memory: Vec<u8>,
    filled: usize,
}

impl Answers {
    pub(super) fn new(stream: TcpStream, peer: String, version: i16, fetch_max_bytes: i32) -> Result<Self> {
        stream.set_read_timeout(Some(LOOK))?;
        let request_size_max_bytes = usize::try_from(fetch_max_bytes).unwrap_or_default() + BEYOND_BYTES;
        Ok(Self {
            stream,
            peer,
            version,
            limits: FrameLimits { request_size_max_bytes },
            memory: Vec::new(),
            filled: 0,
        })
    }

    /// Waits for the next answer, however long it takes; false when `give_up` says so first, and it can be waited for again.
    pub(crate) fn receive(&mut self, give_up: impl Fn() -> bool) -> Result<bool> {
        self.fill(give_up).with_context(|| format!("the connection to {}", self.peer))
    }

    fn fill(&mut self, give_up: impl Fn() -> bool) -> Result<bool> {
        loop {
            let wanted = self.wanted()?;
            if self.filled == wanted {
                return Ok(true);
            }
            // One request is under way: nothing follows its answer, and whatever is there belongs to it.
            if self.filled == self.memory.len() {
                // With what has come, not with what the frame claims; once it has grown, it is only filled again.
                let grown = (2 * self.memory.len()).max(STEP_BYTES);
                self.memory.resize(grown.min(wanted.max(STEP_BYTES)), 0);
            }
            let room = self.memory.get_mut(self.filled..).unwrap_or_default();
            match self.stream.read(room) {
                Ok(0) if self.filled == 0 => bail!("no answer came: the broker has closed the connection"),
                Ok(0) => bail!("an answer ended early: {} bytes of {wanted}", self.filled),
                Ok(count) => self.filled += count,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if give_up() {
                        return Ok(false);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("no answer came"),
            }
        }
    }

    /// Bytes of the whole frame, as far as that is known.
    fn wanted(&self) -> Result<usize> {
        let Some(prefix) = self.memory.get(..self.filled).and_then(|filled| filled.first_chunk::<4>()) else {
            return Ok(4);
        };
        let size = frame_len(*prefix, &self.limits).context("what came is not Kafka's protocol")?;
        if self.filled > 4 + size {
            bail!("more came than was asked for: {} bytes behind an answer", self.filled - 4 - size);
        }
        Ok(4 + size)
    }

    /// The answer that was received; it must be to the request of this id.
    pub(crate) fn view(&self, correlation_id: i32) -> Result<FetchView<'_>> {
        let frame = self.memory.get(4..self.filled).unwrap_or_default();
        let view = FetchView::parse(frame, self.version)
            .with_context(|| format!("an answer of {} cannot be read", self.peer))?;
        if view.correlation_id != correlation_id {
            bail!("request {correlation_id} was answered with {} by {}", view.correlation_id, self.peer);
        }
        Ok(view)
    }

    /// The answer is done with.
    pub(crate) fn clear(&mut self) {
        self.filled = 0;
    }
}
