//! Has replicas move between the data directories all the time, also while the broker is away.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use thalweg_protocol::StrBytes;
use thalweg_protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use thalweg_protocol::messages::{AlterReplicaLogDirsRequest, TopicName};

use crate::wire;

const PAUSE: Duration = Duration::from_millis(40);

pub(crate) struct Movers {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Movers {
    pub(crate) fn start(bootstrap: &str, dirs: Vec<PathBuf>, topic: &str, partitions: i32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, bootstrap, topic) = (Arc::clone(&stop), bootstrap.to_owned(), topic.to_owned());
        let thread = std::thread::spawn(move || {
            let mut step = 0_usize;
            while !stopped.load(Ordering::Relaxed) {
                // Every partition in turn, and in every round to the other directory.
                let round = step / partitions as usize;
                let dir = &dirs[(round + step) % dirs.len()];
                let request = request(dir, &topic, (step % partitions as usize) as i32);
                // Refused while the broker is away, cut off while it is killed.
                let _ = ask(&bootstrap, &request);
                step += 1;
                std::thread::sleep(PAUSE);
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Movers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn request(dir: &std::path::Path, topic: &str, partition: i32) -> AlterReplicaLogDirsRequest {
    let topic = AlterReplicaLogDirTopic::default()
        .with_name(TopicName(StrBytes::from_string(topic.to_owned())))
        .with_partitions(vec![partition]);
    let dir = AlterReplicaLogDir::default()
        .with_path(StrBytes::from_string(dir.display().to_string()))
        .with_topics(vec![topic]);
    AlterReplicaLogDirsRequest::default().with_dirs(vec![dir])
}

fn ask(bootstrap: &str, request: &AlterReplicaLogDirsRequest) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(bootstrap)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(&wire::frame(&wire::request_bytes(2, request)))?;
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let mut answer = vec![0; u32::from_be_bytes(size) as usize];
    stream.read_exact(&mut answer)
}
