//! TCP sockets, through the ring.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::rc::Rc;

use bytes::{Buf as _, Bytes, BytesMut};

use crate::executor::Local;
use crate::ops::{Address, Message, PIECES_MAX, SharedFd};

/// A listening socket of this core.
pub struct Listener {
    fd: SharedFd,
}

impl Listener {
    /// # Errors
    /// The kernel's.
    pub fn new(listener: TcpListener) -> io::Result<Self> {
        // The kernel is to wait for a connection, not to say that there is none.
        listener.set_nonblocking(false)?;
        Ok(Self { fd: Rc::new(listener.into()) })
    }

    /// The next connection. It may be sent to the core that is to have it.
    ///
    /// # Errors
    /// The kernel's.
    pub async fn accept(&self) -> io::Result<TcpStream> {
        let op = Local::current().ring.accept(&self.fd);
        let descriptor = op.await.0?;
        #[expect(unsafe_code, reason = "the kernel gives a descriptor as a number")]
        // SAFETY: it is a socket that the kernel has just opened for us.
        let fd = unsafe { OwnedFd::from_raw_fd(descriptor as i32) };
        Ok(TcpStream::from(fd))
    }
}

/// A connection of this core; clones are the same connection.
#[derive(Clone)]
pub struct Stream {
    fd: SharedFd,
}

impl Stream {
    pub fn new(stream: TcpStream) -> Self {
        Self { fd: Rc::new(stream.into()) }
    }

    /// Connects to a peer. The kernel may take minutes to give up on one that does not answer: whoever is less patient drops
    /// the future, which ends the attempt.
    ///
    /// # Errors
    /// The kernel's; refused where nobody listens.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let address = Address::new(address);
        let fd: SharedFd = Rc::new(address.socket()?);
        let op = Local::current().ring.connect(&fd, address);
        op.await.0?;
        let stream = TcpStream::from(fd.try_clone()?);
        // Without it, a small message waits for the acknowledgement of the one before.
        stream.set_nodelay(true)?;
        Ok(Self { fd })
    }

    /// The connection itself, to be sent to another core.
    ///
    /// # Errors
    /// The kernel's, where operations are still under way and a second descriptor cannot be had.
    pub fn into_inner(self) -> io::Result<TcpStream> {
        let fd = Rc::try_unwrap(self.fd).or_else(|shared| shared.try_clone())?;
        Ok(TcpStream::from(fd))
    }

    /// Receives up to `room` bytes behind what the buffer has, into capacity that it has already; with `whole` it waits for
    /// all of them. 0 means that the peer has closed its side, and fewer than `room` with `whole` that it did so meanwhile.
    pub async fn receive(&self, buffer: BytesMut, room: usize, whole: bool) -> (io::Result<usize>, BytesMut) {
        let held = buffer.len();
        let op = Local::current().ring.receive(&self.fd, buffer, room, whole);
        let (received, (_, mut buffer)) = op.await;
        if let Ok(received) = received {
            #[expect(unsafe_code, reason = "the kernel filled the buffer")]
            // SAFETY: the kernel wrote this many bytes behind the first `held`.
            unsafe {
                buffer.set_len(held + received as usize);
            }
        }
        (received.map(|received| received as usize), buffer)
    }

    /// Sends the pieces in order, all of them, from where they lie.
    ///
    /// # Errors
    /// The kernel's. How much was sent is then unknown.
    pub async fn send(&self, mut pieces: Vec<Bytes>) -> io::Result<()> {
        pieces.retain(|piece| !piece.is_empty());
        if let [only] = pieces.as_slice() {
            return self.send_piece(only.clone()).await;
        }
        while !pieces.is_empty() {
            let behind = pieces.split_off(pieces.len().min(PIECES_MAX));
            self.send_pieces(pieces).await?;
            pieces = behind;
        }
        Ok(())
    }

    async fn send_piece(&self, mut piece: Bytes) -> io::Result<()> {
        while !piece.is_empty() {
            let op = Local::current().ring.send(&self.fd, piece);
            let (sent, (_, bytes)) = op.await;
            piece = bytes;
            piece.advance(progress(sent?)?);
        }
        Ok(())
    }

    async fn send_pieces(&self, mut pieces: Vec<Bytes>) -> io::Result<()> {
        while !pieces.is_empty() {
            let op = Local::current().ring.send_message(&self.fd, Message::new(pieces.clone()));
            let mut sent = progress(op.await.0?)?;
            // The kernel rarely sends less than all.
            pieces.retain_mut(|piece| {
                let gone = sent.min(piece.len());
                piece.advance(gone);
                sent -= gone;
                !piece.is_empty()
            });
        }
        Ok(())
    }
}

fn progress(sent: u32) -> io::Result<usize> {
    if sent == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(sent as usize) }
}
