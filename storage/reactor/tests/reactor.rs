//! The reactor on the real kernel: files, sockets, timers, other threads, and what happens to operations nobody awaits.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::cell::{Cell, RefCell};
use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures::future::{join_all, select};
use thalweg_reactor::queue::bounded;
use thalweg_reactor::{
    ALIGNMENT_BYTES, AlignedBuffer, File, Listener, Stream, run, sleep, spawn, spawn_thread, unblock, within, yield_now,
};

/// How long a test waits for what should come at once.
const PATIENCE: Duration = Duration::from_secs(20);

fn connect(address: std::net::SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.set_write_timeout(Some(PATIENCE)).unwrap();
    client
}

/// Both ends of a connection.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = connect(listener.local_addr().unwrap());
    (client, listener.accept().unwrap().0)
}

fn pattern(len: usize) -> Bytes {
    (0..len).map(|at| (at * 31 % 251) as u8).collect()
}

#[test]
fn a_task_takes_its_first_step_at_once_and_yields_to_the_others() {
    let order = run(async {
        let order = Rc::new(RefCell::new(Vec::new()));
        for name in ["a", "b"] {
            let order = Rc::clone(&order);
            spawn(async move {
                order.borrow_mut().push(format!("{name} begins"));
                yield_now().await;
                order.borrow_mut().push(format!("{name} goes on"));
            })
            .detach();
            yield_now().await;
        }
        yield_now().await;
        order.take()
    });
    assert_eq!(order.unwrap(), ["a begins", "a goes on", "b begins", "b goes on"]);
}

#[test]
fn timers_end_in_order_of_time_and_a_limit_ends_a_wait() {
    let (order, waited, limited) = run(async {
        let began = Instant::now();
        let order = Rc::new(RefCell::new(Vec::new()));
        let sleepers = [30_u64, 10, 20].map(|time| {
            let order = Rc::clone(&order);
            async move {
                sleep(Duration::from_millis(time)).await;
                order.borrow_mut().push(time);
            }
        });
        join_all(sleepers).await;
        let waited = began.elapsed();
        let never = within(Duration::from_millis(5), std::future::pending::<()>()).await;
        let now = within(Duration::ZERO, async { 7 }).await;
        (order.take(), waited, (never, now))
    })
    .unwrap();
    assert_eq!(order, [10, 20, 30]);
    assert!(waited >= Duration::from_millis(30), "{waited:?}");
    assert_eq!(limited, (None, Some(7)));
}

#[test]
fn a_reactor_with_nothing_to_do_sleeps() {
    let used = || {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let ticks = run(async move {
        let before = used();
        sleep(Duration::from_millis(300)).await;
        used() - before
    });
    assert!(ticks.unwrap() <= 3, "of 30 that a busy loop would use");
}

#[test]
fn files_are_written_and_read_with_o_direct() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let content = pattern(3 * ALIGNMENT_BYTES);
    let expected = content.clone();
    let (read, behind, len) = run(async move {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        // Where the tests run on a file system without it, through the page cache.
        let direct = options.clone().custom_flags(libc::O_DIRECT | libc::O_DSYNC).open(&path);
        let file = File::new(direct.or_else(|_| options.create(true).create_new(false).open(&path)).unwrap());
        let mut buffer = AlignedBuffer::for_writing(content.len());
        buffer.as_mut_slice().copy_from_slice(&content);
        let (written, buffer) = file.write_at(0, buffer, 0).await;
        assert_eq!(written.unwrap(), content.len());
        let (written, _) = file.write_at(ALIGNMENT_BYTES as u64, buffer, 2 * ALIGNMENT_BYTES).await;
        assert_eq!(written.unwrap(), ALIGNMENT_BYTES, "the last page again, where it was");
        file.fdatasync().await.unwrap();
        let read = file.read_at(0, 1 << 20).await.unwrap();
        let behind = file.read_at(1 << 20, 1).await.unwrap();
        let len = file.len().unwrap();
        file.truncate(10).await.unwrap();
        assert_eq!(file.len().unwrap(), 10);
        (Bytes::from_owner(read), behind.len(), len)
    })
    .unwrap();
    assert_eq!(len as usize, 4 * ALIGNMENT_BYTES);
    assert_eq!(behind, 0);
    assert!(read[..expected.len()] == expected[..]);
    assert!(read[expected.len()..] == expected[2 * ALIGNMENT_BYTES..]);
}

#[test]
fn large_messages_of_many_pieces_go_through_a_small_socket() {
    let (client, server) = pair();
    let sent: Vec<Bytes> = (0..3000_usize).map(|piece| pattern(piece % 7 * 1000)).collect();
    let expected = sent.concat();
    let length = expected.len();
    let reading = std::thread::spawn(move || {
        let mut client = client;
        let mut received = Vec::new();
        client.write_all(b"go").unwrap();
        std::io::Read::by_ref(&mut client).take(length as u64).read_to_end(&mut received).unwrap();
        client.write_all(&received).unwrap();
        received
    });
    let echoed = run(async move {
        let stream = Stream::new(server);
        let (got, buffer) = stream.receive(BytesMut::with_capacity(100), 100, false).await;
        assert_eq!((got.unwrap(), &buffer[..]), (2, &b"go"[..]));
        stream.send(sent).await.unwrap();
        // `whole` waits for all of it, and takes no more.
        let mut buffer = BytesMut::new();
        while buffer.len() < length {
            let room = (length - buffer.len()).min(1 << 20);
            buffer.reserve(room + 10);
            let (got, back) = stream.receive(buffer, room, true).await;
            assert_eq!(got.unwrap(), room);
            buffer = back;
        }
        buffer.reserve(1);
        let (got, buffer) = stream.receive(buffer, 1, false).await;
        assert_eq!(got.unwrap(), 0, "the client has closed");
        buffer
    })
    .unwrap();
    assert!(reading.join().unwrap() == expected);
    assert!(echoed == expected);
}

#[test]
fn a_receive_nobody_waits_for_is_cancelled_and_takes_nothing_of_what_comes() {
    let (mut client, server) = pair();
    run(async move {
        let stream = Stream::new(server);
        for _ in 0..1000 {
            let receive = stream.receive(BytesMut::with_capacity(4096), 4096, true);
            drop(select(Box::pin(receive), Box::pin(yield_now())).await);
        }
        sleep(Duration::from_millis(20)).await; // the cancelled ones are gone: they take none of what comes
        client.write_all(b"hello").unwrap();
        let (got, buffer) = stream.receive(BytesMut::with_capacity(4096), 4096, false).await;
        assert_eq!((got.unwrap(), &buffer[..]), (5, &b"hello"[..]));
    })
    .unwrap();
}

#[test]
fn the_end_of_a_reactor_drops_its_tasks_and_closes_their_sockets() {
    let (mut client, server) = pair();
    let dropped = Rc::new(Cell::new(0));
    let counted = Rc::clone(&dropped);
    struct Guard(Rc<Cell<u32>>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    run(async move {
        for _ in 0..10 {
            let (guard, stream) = (Guard(Rc::clone(&counted)), Stream::new(server.try_clone().unwrap()));
            spawn(async move {
                let _guard = guard;
                let _ = stream.receive(BytesMut::with_capacity(64), 64, false).await;
            })
            .detach();
        }
    })
    .unwrap();
    assert_eq!(dropped.get(), 10);
    assert_eq!(client.read(&mut [0]).unwrap(), 0, "the last descriptor is closed");
}

#[test]
fn connections_are_accepted_here_and_served_on_another_thread() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (mut to, mut from) = bounded::<TcpStream>(4);
    let serving = spawn_thread("serving", None, move || async move {
        let mut served = 0;
        while let Some(socket) = from.receive().await {
            let stream = Stream::new(socket);
            let (got, buffer) = stream.receive(BytesMut::with_capacity(64), 5, true).await;
            assert_eq!(got.unwrap(), 5);
            stream.send(vec![buffer.freeze(), Bytes::from_static(b"!")]).await.unwrap();
            served += 1;
        }
        served
    })
    .unwrap();
    let accepting = spawn_thread("accepting", None, move || async move {
        let listener = Listener::new(listener).unwrap();
        for _ in 0..20 {
            assert!(to.try_send(listener.accept().await.unwrap()).is_ok());
        }
    })
    .unwrap();
    for _ in 0..20 {
        let mut client = connect(address);
        client.write_all(b"hello").unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "hello!");
    }
    accepting.join().unwrap();
    assert_eq!(serving.join().unwrap(), 20);
}

/// Both sides run dry and fill up many thousand times: a wake-up that is lost once stops the test.
#[test]
fn no_wake_up_between_two_cores_is_lost() {
    const COUNT: u64 = 200_000;
    let (mut ask, mut asked) = bounded::<u64>(8);
    let (mut answer, mut answers) = bounded::<u64>(8);
    let echo = spawn_thread("echo", None, move || async move {
        while let Some(value) = asked.receive().await {
            while answer.try_send(value).is_err() {
                std::future::poll_fn(|context| answer.poll_room(context)).await;
            }
        }
    })
    .unwrap();
    let asking = spawn_thread("asking", None, move || async move {
        let (mut sent, mut received) = (0, 0);
        while received < COUNT {
            while sent < COUNT && ask.try_send(sent).is_ok() {
                sent += 1;
                if sent % 1000 == 0 {
                    break; // now and then with the queue half full
                }
            }
            let began = Instant::now();
            assert_eq!(within(PATIENCE, answers.receive()).await, Some(Some(received)));
            // The limit's own timer would wake a receiver that nobody else woke.
            assert!(began.elapsed() < PATIENCE / 2, "a wake-up was lost");
            received += 1;
        }
    })
    .unwrap();
    asking.join().unwrap();
    echo.join().unwrap();
}

#[test]
fn blocking_work_leaves_the_core_free() {
    let counted = run(async {
        let slow = spawn(unblock(|| std::thread::sleep(Duration::from_millis(50))));
        let mut counted = 0;
        let mut slow = Box::pin(slow);
        while let futures::future::Either::Right(((), rest)) =
            select(slow, Box::pin(sleep(Duration::from_millis(5)))).await
        {
            slow = rest;
            counted += 1;
        }
        counted
    });
    assert!(counted.unwrap() >= 2);
}

#[test]
fn more_operations_than_the_ring_has_room_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, pattern(1 << 20)).unwrap();
    let read = run(async move {
        let file = File::new(std::fs::File::open(&path).unwrap());
        let reads = (0..5000_u64).map(|at| {
            let file = file.clone();
            async move { file.read_at(at % 256 * 4096, 4096).await.unwrap().len() }
        });
        join_all(reads).await.into_iter().sum::<usize>()
    });
    assert_eq!(read.unwrap(), 5000 * 4096);
}

#[test]
fn a_connection_accepted_for_nobody_is_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut client = run(async move {
        let listener = Listener::new(listener).unwrap();
        let accept = listener.accept();
        // Handed to the kernel, then completed, then dropped before anybody looks.
        let mut accept = Box::pin(accept);
        assert!(futures::poll!(accept.as_mut()).is_pending());
        sleep(Duration::from_millis(1)).await;
        let client = connect(address);
        sleep(Duration::from_millis(20)).await;
        drop(accept);
        client
    })
    .unwrap();
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_connection_is_made_from_here_and_a_closed_port_refuses_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut received = [0; 5];
        stream.read_exact(&mut received).unwrap();
        received
    });
    run(async move {
        let stream = within(PATIENCE, Stream::connect(address)).await.unwrap().unwrap();
        stream.send(vec![Bytes::from_static(b"hello")]).await.unwrap();
    })
    .unwrap();
    assert_eq!(&accepted.join().unwrap(), b"hello");
    // The listener is gone with its thread.
    let refused = run(async move { within(PATIENCE, Stream::connect(address)).await.unwrap().err() }).unwrap();
    assert_eq!(refused.unwrap().kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn connections_over_ipv6_and_attempts_that_nobody_waits_for() {
    if let Ok(listener) = TcpListener::bind("[::1]:0") {
        let address = listener.local_addr().unwrap();
        run(async move { within(PATIENCE, Stream::connect(address)).await.unwrap().unwrap() }).unwrap();
        assert!(listener.accept().is_ok());
    } else {
        println!("this host has no IPv6: only the rest is tested");
    }
    // An address that nobody has (RFC 5737): wherever that leads, the attempt ends with its future.
    let nowhere = "192.0.2.1:9".parse().unwrap();
    let ended = run(async move { within(Duration::from_millis(50), Stream::connect(nowhere)).await });
    assert!(ended.unwrap().is_none_or(|connected| connected.is_err()));
}
