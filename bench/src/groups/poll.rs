//! Many connections turned by one thread: what is to be sent goes out as the sockets take it, and whole answers come back.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::{Buf as _, Bytes, BytesMut};
use rustix::event::Timespec;
use rustix::event::epoll::{self, Event, EventData, EventFlags};

use crate::client::answer::split_frame;

/// Events taken at once.
const EVENTS_MAX: usize = 1024;
const READ_BYTES: usize = 16 << 10;

/// Connections, by their numbers from 0.
pub(super) struct Poll {
    epoll: OwnedFd,
    lines: Vec<Line>,
    events: Vec<Event>,
}

struct Line {
    stream: TcpStream,
    peer: String,
    input: BytesMut,
    output: BytesMut,
    /// The kernel is to say when it takes more.
    wants_room: bool,
}

/// An answer without its size, and whose.
pub(super) struct Arrived {
    pub(super) line: usize,
    pub(super) frame: Bytes,
}

impl Poll {
    pub(super) fn new() -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).context("epoll")?;
        Ok(Self { epoll, lines: Vec::new(), events: Vec::with_capacity(EVENTS_MAX) })
    }

    /// Adds a connection.
    pub(super) fn connect(&mut self, peer: &str, timeout: Duration) -> Result<()> {
        let address = peer.to_socket_addrs().with_context(|| format!("{peer} is not a usable host:port"))?.next();
        let address = address.with_context(|| format!("{peer} has no address"))?;
        let stream =
            TcpStream::connect_timeout(&address, timeout).with_context(|| format!("cannot connect to {peer}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let data = EventData::new_u64(self.lines.len() as u64);
        epoll::add(&self.epoll, &stream, data, EventFlags::IN).context("epoll")?;
        let (input, output) = (BytesMut::new(), BytesMut::new());
        self.lines.push(Line { stream, peer: peer.to_owned(), input, output, wants_room: false });
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Sends a frame, now or as soon as there is room.
    pub(super) fn send(&mut self, line: usize, frame: &[u8]) -> Result<()> {
        let Some(found) = self.lines.get_mut(line) else { bail!("there is no connection {line}") };
        found.output.extend_from_slice(frame);
        self.flush(line)
    }

    fn flush(&mut self, line: usize) -> Result<()> {
        let Some(found) = self.lines.get_mut(line) else { return Ok(()) };
        while !found.output.is_empty() {
            match found.stream.write(&found.output) {
                Ok(written) => found.output.advance(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).with_context(|| format!("cannot send to {}", found.peer)),
            }
        }
        let wants_room = !found.output.is_empty();
        if wants_room != found.wants_room {
            found.wants_room = wants_room;
            let flags = if wants_room { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
            epoll::modify(&self.epoll, &found.stream, EventData::new_u64(line as u64), flags).context("epoll")?;
        }
        Ok(())
    }

    /// Waits for answers at most so long, and adds them to `arrived`.
    pub(super) fn wait(&mut self, at_most: Duration, arrived: &mut Vec<Arrived>) -> Result<()> {
        let timeout = Timespec::try_from(at_most).context("a time to wait")?;
        self.events.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), Some(&timeout)) {
            Err(rustix::io::Errno::INTR) => return Ok(()),
            waited => waited.context("epoll")?,
        };
        let ready: Vec<(usize, EventFlags)> =
            self.events.iter().map(|event| (event.data.u64() as usize, event.flags)).collect();
        for (line, flags) in ready {
            if flags.contains(EventFlags::OUT) {
                self.flush(line)?;
            }
            if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
                self.receive(line, arrived)?;
            }
        }
        Ok(())
    }

    fn receive(&mut self, line: usize, arrived: &mut Vec<Arrived>) -> Result<()> {
        let Some(found) = self.lines.get_mut(line) else { return Ok(()) };
        let (mut chunk, mut ended, before) = ([0; READ_BYTES], false, arrived.len());
        loop {
            match found.stream.read(&mut chunk) {
                Ok(0) => {
                    ended = true;
                    break;
                }
                Ok(came) => found.input.extend_from_slice(chunk.get(..came).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).with_context(|| format!("the connection to {}", found.peer)),
            }
        }
        while let Some(frame) = split_frame(&mut found.input)? {
            arrived.push(Arrived { line, frame });
        }
        // What came before the end counts first: the next look finds the end again.
        if ended && arrived.len() == before {
            bail!("{} closed a member's connection", found.peer);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::net::TcpListener;
    use std::time::Instant;

    use super::*;

    /// Answers each frame with itself, and closes after so many.
    fn echo(listener: TcpListener, frames: usize) -> std::thread::JoinHandle<()> {
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for _ in 0..frames {
                let mut size = [0; 4];
                stream.read_exact(&mut size).unwrap();
                let mut body = vec![0; u32::from_be_bytes(size) as usize];
                stream.read_exact(&mut body).unwrap();
                stream.write_all(&size).unwrap();
                stream.write_all(&body).unwrap();
            }
        })
    }

    #[test]
    fn frames_go_out_and_come_back_however_large_and_an_end_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = listener.local_addr().unwrap().to_string();
        let server = echo(listener, 3);
        let mut poll = Poll::new().unwrap();
        poll.connect(&peer, Duration::from_secs(10)).unwrap();
        let sizes = [5, 4 << 20, 7];
        for size in sizes {
            let mut frame = u32::try_from(size).unwrap().to_be_bytes().to_vec();
            frame.resize(4 + size, 9);
            poll.send(0, &frame).unwrap();
        }
        let (mut arrived, deadline) = (Vec::new(), Instant::now() + Duration::from_secs(60));
        while arrived.len() < 3 && Instant::now() < deadline {
            poll.wait(Duration::from_millis(100), &mut arrived).unwrap();
        }
        assert_eq!(arrived.iter().map(|arrived| arrived.frame.len()).collect::<Vec<_>>(), sizes);
        server.join().unwrap();
        let ended = loop {
            if let Err(error) = poll.wait(Duration::from_millis(100), &mut arrived) {
                break error;
            }
            assert!(Instant::now() < deadline);
        };
        assert!(ended.to_string().contains("closed a member's connection"), "{ended:#}");
    }
}
