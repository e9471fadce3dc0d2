//! A request and its answer over loopback, between two blocking threads: sizes as of a Produce of 100 B.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

pub(super) const REQUEST_LEN: usize = 150;
pub(super) const RESPONSE_LEN: usize = 60;

pub(super) struct Echo {
    stream: TcpStream,
    server: JoinHandle<Result<()>>,
}

impl Echo {
    /// Starts a server that does `act` between each request and its answer.
    pub(super) fn start(act: impl FnMut() -> Result<()> + Send + 'static) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on loopback")?;
        let stream = TcpStream::connect(listener.local_addr()?)?;
        let (accepted, _) = listener.accept()?;
        for end in [&stream, &accepted] {
            end.set_nodelay(true)?;
            end.set_read_timeout(Some(Duration::from_secs(30)))?;
        }
        let server = std::thread::spawn(move || serve(accepted, act));
        Ok(Self { stream, server })
    }

    pub(super) fn round_trip(&mut self) -> Result<()> {
        self.stream.write_all(&[1; REQUEST_LEN])?;
        self.stream.read_exact(&mut [0; RESPONSE_LEN])?;
        Ok(())
    }

    /// Ends the server; gives the error it ended with, if any.
    pub(super) fn stop(self) -> Result<()> {
        drop(self.stream);
        self.server.join().map_err(|_| anyhow!("the loopback server panicked"))?
    }
}

/// One blocking thread sends to another over one connection: how many pieces of `piece` bytes arrived, and in what time.
pub(super) fn stream(piece: usize, time: Duration) -> Result<(u64, Duration)> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on loopback")?;
    let mut sender = TcpStream::connect(listener.local_addr()?)?;
    let (mut receiver, _) = listener.accept()?;
    sender.set_write_timeout(Some(Duration::from_secs(30)))?;
    receiver.set_read_timeout(Some(Duration::from_secs(30)))?;
    let began = Instant::now();
    let receiving = std::thread::spawn(move || {
        let (mut buffer, mut pieces) = (vec![0; piece], 0);
        while receiver.read_exact(&mut buffer).is_ok() {
            pieces += 1;
        }
        pieces
    });
    let buffer = vec![1; piece];
    while began.elapsed() < time {
        sender.write_all(&buffer)?;
    }
    drop(sender);
    let pieces = receiving.join().map_err(|_| anyhow!("the receiving thread panicked"))?;
    Ok((pieces, began.elapsed()))
}

fn serve(mut stream: TcpStream, mut act: impl FnMut() -> Result<()>) -> Result<()> {
    // The client's end closing is how it ends.
    while stream.read_exact(&mut [0; REQUEST_LEN]).is_ok() {
        act()?;
        stream.write_all(&[2; RESPONSE_LEN])?;
    }
    Ok(())
}
