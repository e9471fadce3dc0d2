//! The operations of a ring, each with the memory that its pointers lead to.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use io_uring::{opcode, types};

use crate::buffer::AlignedBuffer;
use crate::ring::{Gives, Op, Ring};

/// A descriptor that stays open while an operation uses it.
pub(crate) type SharedFd = Rc<OwnedFd>;

/// The largest count of pieces in one message: the kernel's UIO_MAXIOV.
pub(crate) const PIECES_MAX: usize = 1024;

/// Longer transfers are several: the kernel's counts are 32 bits.
const TRANSFER_MAX_BYTES: usize = 1 << 30;

fn fd(descriptor: &SharedFd) -> types::Fd {
    types::Fd(descriptor.as_raw_fd())
}

#[expect(unsafe_code, reason = "the kernel is given pointers into what the operation owns")]
impl Ring {
    /// Writes the buffer from `skip` on to `position + skip`.
    pub(crate) fn write(
        self: &Rc<Self>,
        file: &SharedFd,
        position: u64,
        buffer: AlignedBuffer,
        skip: usize,
    ) -> Op<(SharedFd, AlignedBuffer)> {
        let rest = buffer.as_slice().get(skip..).unwrap_or_default();
        let len = rest.len().min(TRANSFER_MAX_BYTES) as u32;
        let entry = opcode::Write::new(fd(file), rest.as_ptr(), len).offset(position + skip as u64).build();
        // SAFETY: the memory is the buffer's own allocation, which does not move with it.
        unsafe { self.submit(entry, (Rc::clone(file), buffer), Gives::Count) }
    }

    /// Reads up to `len` bytes at `position`, or as many as the buffer has room for.
    pub(crate) fn read(
        self: &Rc<Self>,
        file: &SharedFd,
        position: u64,
        mut buffer: AlignedBuffer,
        len: usize,
    ) -> Op<(SharedFd, AlignedBuffer)> {
        let len = buffer.capacity().min(len).min(TRANSFER_MAX_BYTES) as u32;
        let entry = opcode::Read::new(fd(file), buffer.as_mut_ptr(), len).offset(position).build();
        // SAFETY: the memory is the buffer's own allocation, which does not move with it.
        unsafe { self.submit(entry, (Rc::clone(file), buffer), Gives::Count) }
    }

    pub(crate) fn fdatasync(self: &Rc<Self>, file: &SharedFd) -> Op<SharedFd> {
        let entry = opcode::Fsync::new(fd(file)).flags(types::FsyncFlags::DATASYNC).build();
        // SAFETY: it has no pointers.
        unsafe { self.submit(entry, Rc::clone(file), Gives::Count) }
    }

    /// Receives up to `room` bytes into the spare capacity behind what the buffer has; all of them, if `whole`.
    pub(crate) fn receive(
        self: &Rc<Self>,
        socket: &SharedFd,
        mut buffer: BytesMut,
        room: usize,
        whole: bool,
    ) -> Op<(SharedFd, BytesMut)> {
        let spare = buffer.spare_capacity_mut();
        let len = spare.len().min(room).min(TRANSFER_MAX_BYTES) as u32;
        let flags = if whole { libc::MSG_WAITALL } else { 0 };
        let entry = opcode::Recv::new(fd(socket), spare.as_mut_ptr().cast(), len).flags(flags).build();
        // SAFETY: the spare capacity is on the heap, belongs to this handle alone, and does not move with it.
        unsafe { self.submit(entry, (Rc::clone(socket), buffer), Gives::Count) }
    }

    pub(crate) fn send(self: &Rc<Self>, socket: &SharedFd, bytes: Bytes) -> Op<(SharedFd, Bytes)> {
        let len = bytes.len().min(TRANSFER_MAX_BYTES) as u32;
        let flags = libc::MSG_WAITALL | libc::MSG_NOSIGNAL;
        let entry = opcode::Send::new(fd(socket), bytes.as_ptr(), len).flags(flags).build();
        // SAFETY: the bytes are shared, immutable and do not move with their handle.
        unsafe { self.submit(entry, (Rc::clone(socket), bytes), Gives::Count) }
    }

    pub(crate) fn send_message(
        self: &Rc<Self>,
        socket: &SharedFd,
        message: Box<Message>,
    ) -> Op<(SharedFd, Box<Message>)> {
        let flags = (libc::MSG_WAITALL | libc::MSG_NOSIGNAL) as u32;
        let entry = opcode::SendMsg::new(fd(socket), &raw const message.header).flags(flags).build();
        // SAFETY: header and pieces are in the box, the pieces' bytes are shared and immutable: none moves with it.
        unsafe { self.submit(entry, (Rc::clone(socket), message), Gives::Count) }
    }

    pub(crate) fn connect(self: &Rc<Self>, socket: &SharedFd, address: Box<Address>) -> Op<(SharedFd, Box<Address>)> {
        let (pointer, len) = address.parts();
        let entry = opcode::Connect::new(fd(socket), pointer, len).build();
        // SAFETY: the address is in the box, and does not move with it.
        unsafe { self.submit(entry, (Rc::clone(socket), address), Gives::Count) }
    }

    /// The result is the new socket's descriptor. The listener must not be non-blocking.
    pub(crate) fn accept(self: &Rc<Self>, listener: &SharedFd) -> Op<SharedFd> {
        let accept = opcode::Accept::new(fd(listener), std::ptr::null_mut(), std::ptr::null_mut());
        let entry = accept.flags(libc::SOCK_CLOEXEC).build();
        // SAFETY: it has no pointers.
        unsafe { self.submit(entry, Rc::clone(listener), Gives::Descriptor) }
    }
}

/// An address as the kernel wants to be told of it.
pub(crate) enum Address {
    V4(libc::sockaddr_in),
    V6(libc::sockaddr_in6),
}

impl Address {
    pub(crate) fn new(address: SocketAddr) -> Box<Self> {
        Box::new(match address {
            SocketAddr::V4(address) => Self::V4(libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: address.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
                sin_zero: [0; 8],
            }),
            SocketAddr::V6(address) => Self::V6(libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: address.port().to_be(),
                sin6_flowinfo: address.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                sin6_scope_id: address.scope_id(),
            }),
        })
    }

    /// A TCP socket of this address's family.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    #[expect(unsafe_code, reason = "the kernel gives a descriptor as a number")]
    pub(crate) fn socket(&self) -> io::Result<OwnedFd> {
        let family = match self {
            Self::V4(_) => libc::AF_INET,
            Self::V6(_) => libc::AF_INET6,
        };
        // SAFETY: it has no pointers.
        let descriptor = unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it is a socket that the kernel has just opened for us.
        Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
    }

    fn parts(&self) -> (*const libc::sockaddr, libc::socklen_t) {
        match self {
            Self::V4(address) => ((&raw const *address).cast(), size_of_val(address) as libc::socklen_t),
            Self::V6(address) => ((&raw const *address).cast(), size_of_val(address) as libc::socklen_t),
        }
    }
}

/// Pieces that go out one behind the other, as the kernel wants to be told of them.
pub(crate) struct Message {
    header: libc::msghdr,
    /// What the header points to.
    vectors: Vec<libc::iovec>,
    /// What the vectors point to.
    _pieces: Vec<Bytes>,
}

impl Message {
    /// At most [`PIECES_MAX`] pieces.
    pub(crate) fn new(pieces: Vec<Bytes>) -> Box<Self> {
        let vectors =
            pieces.iter().map(|piece| libc::iovec { iov_base: piece.as_ptr().cast_mut().cast(), iov_len: piece.len() });
        let vectors: Vec<_> = vectors.collect();
        #[expect(unsafe_code, reason = "a msghdr has private padding on some systems")]
        // SAFETY: all fields of a msghdr may be zero.
        let header = unsafe { std::mem::zeroed::<libc::msghdr>() };
        let mut message = Box::new(Self { header, vectors, _pieces: pieces });
        message.header.msg_iov = message.vectors.as_mut_ptr();
        message.header.msg_iovlen = message.vectors.len();
        message
    }
}
