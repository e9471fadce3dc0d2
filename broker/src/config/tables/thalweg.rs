//! Our own keys.

use crate::config::schema::{
    Check::{Any, AtLeast, Between},
    ConfigKey,
    DefaultValue::{Is, Unset},
    Use::Used,
    keys,
};

pub(super) const KEYS: &[ConfigKey] = keys! {
    "thalweg.cores": Int = Unset, Between(1, 1024), High, ReadOnly, Used;
        "Reactors, each a thread with its own share of partitions and connections. Not given: one per CPU that the process may run on."
    "thalweg.cpu.pin": Boolean = Is("false"), Any, High, ReadOnly, Used;
        "Whether each reactor is pinned to its CPU. Only where the host gives these CPUs to nobody else: a pinned reactor that shares its CPU is much slower at its worst."
    "thalweg.rpc.listener": String = Unset, Any, High, ReadOnly, Used;
        "Where this node talks to the other nodes of its cluster, as host:port. Not given: a node alone."
    "thalweg.admin.listener": String = Is("127.0.0.1:9644"), Any, High, ReadOnly, Used;
        "Where `/ready` and `/metrics` are served over HTTP, as host:port. Empty turns them off."
    "thalweg.memory.bytes": Long = Unset, AtLeast(67_108_864), High, ReadOnly, Used;
        "Budget of all cores together for requests in progress and for records kept in memory. When it is spent, connections are not read until there is room. Not given: 256 MiB per core."
    "thalweg.wal.file.bytes": Long = Is("67108864"), Between(4_194_304, 1_073_741_824), Medium, ReadOnly, Used;
        "Size of one file of a core's write-ahead log, rounded up to whole 4 KiB blocks."
    "thalweg.wal.files.max": Int = Is("8"), Between(3, 1024), Medium, ReadOnly, Used;
        "Most files of a core's write-ahead log. As they fill, partitions are flushed to their segments and files are used again."
    "thalweg.wal.writes.in.flight": Int = Unset, Between(1, 64), Medium, ReadOnly, Used;
        "Writes to a core's write-ahead log that may be on their way to the device at once. Not given: what `thalweg-bench probe` found best (see `thalweg.probe.file`), or 4."
    "thalweg.wal.block.bytes": Int = Is("1048576"), Between(65_536, 16_777_216), Medium, ReadOnly, Used;
        "Largest single write to a core's write-ahead log."
    "thalweg.probe.file": String = Unset, Any, Low, ReadOnly, Used;
        "What `thalweg-bench probe` wrote about the drive below the data directories. Not given: `thalweg-probe.json` in each of them, where there is one. A file that is bad or of another drive is named in the log and not used."
    "thalweg.segment.flush.bytes": Int = Is("1048576"), Between(4_096, 67_108_864), Medium, ReadOnly, Used;
        "Bytes of a partition that gather in memory, behind the write-ahead log, before they are written to its segment."
    "thalweg.read.cache.bytes": Long = Unset, AtLeast(0), High, ReadOnly, Used;
        "Bytes of segments that all cores together keep after consumers that are behind have read them, beside `thalweg.memory.bytes`. Reads are direct: the host's page cache keeps nothing. Not given: an eighth of the memory that the process may use."
    "thalweg.read.ahead.bytes": Int = Is("1048576"), Between(4_096, 16_777_216), Medium, ReadOnly, Used;
        "Bytes read from a segment at once for a consumer that is behind."
    "thalweg.request.receive.max.ms": Long = Is("30000"), Between(1, 86_400_000), Medium, ReadOnly, Used;
        "Time within which a request must have arrived whole once its first bytes are there; otherwise its connection is closed. Time during which the broker itself does not read, because its memory is spent, does not count."
};
