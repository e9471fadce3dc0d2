//! A run's latencies second by second, as the interval log that HdrHistogram's own tools read (`.hlog`).
//!
//! A log is written while the run goes on, because a result keeps no histogram for each second.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

pub(crate) struct HlogWriter<W: Write> {
    out: W,
    serializer: V2DeflateSerializer,
}

pub(crate) type HlogFile = BufWriter<File>;

/// Before the run, so that a file that cannot be written is known before anything is measured.
pub(crate) fn create(path: &Path) -> Result<HlogFile> {
    Ok(BufWriter::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?))
}

impl<W: Write> HlogWriter<W> {
    /// `began_ms` is the moment, in milliseconds since 1970, that intervals are counted from.
    pub(crate) fn new(mut out: W, name: &str, began_ms: i64) -> Result<Self> {
        let began = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(began_ms).unwrap_or(0));
        let mut serializer = V2DeflateSerializer::new();
        let name = name.replace(char::is_control, " ");
        IntervalLogWriterBuilder::new()
            .add_comment("[Histogram log format version 1.3]")
            .add_comment(&format!("thalweg-bench run {name}; values and maxima are nanoseconds"))
            .with_start_time(began)
            .with_base_time(began)
            .begin_log_with(&mut out, &mut serializer)
            .context("cannot write the interval log")?;
        writeln!(out, "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"")?;
        Ok(Self { out, serializer })
    }

    /// One flow's latency in one interval that began `at` after the log did: `flow` and `latency` become the tag,
    /// `produce.latency`. A reader takes intervals in the order of their beginnings.
    pub(crate) fn write(
        &mut self,
        (flow, latency): (&str, &str),
        at: Duration,
        length: Duration,
        histogram: &Histogram<u64>,
    ) -> Result<()> {
        let tag = format!("{flow}.{latency}");
        let tag = Tag::new(&tag).with_context(|| format!("`{tag}` cannot be a tag of an interval log"))?;
        // A builder without headers writes nothing of its own. The crate's writer borrows what it writes to, and so cannot
        // be kept beside it.
        IntervalLogWriterBuilder::new()
            .begin_log_with(&mut self.out, &mut self.serializer)
            .and_then(|mut log| {
                log.write_histogram(histogram, at, length, Some(tag))
                    .map_err(|error| std::io::Error::other(error.to_string()))
            })
            .map_err(|error| anyhow!("cannot write the interval log: {error}"))
    }

    /// Until then what was written may not be in the file.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.out.flush().context("cannot write the interval log")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use crate::result::Latency;

    fn millis(values: std::ops::RangeInclusive<u64>) -> Histogram<u64> {
        let mut histogram = Latency::empty().unwrap();
        values.for_each(|value| histogram.record(value * 1_000_000).unwrap());
        histogram
    }

    #[test]
    fn every_interval_is_read_back_with_its_tag_time_and_histogram() {
        let written = [("produce", "latency", 0, millis(1..=100)), ("tail", "end_to_end", 1, millis(5..=900))];
        let mut bytes = Vec::new();
        let mut log = HlogWriter::new(&mut bytes, "steady\nx", 1_700_000_000_250).unwrap();
        for (flow, latency, at, histogram) in &written {
            log.write((flow, latency), Duration::from_secs(*at), Duration::from_secs(1), histogram).unwrap();
        }
        log.flush().unwrap();
        let entries: Vec<_> = IntervalLogIterator::new(&bytes).map(|entry| entry.unwrap()).collect();
        let began = Duration::from_millis(1_700_000_000_250);
        assert_eq!(entries[..2], [LogEntry::StartTime(began), LogEntry::BaseTime(began)]);
        assert_eq!(entries.len(), 4);
        for ((flow, latency, at, histogram), entry) in written.iter().zip(&entries[2..]) {
            let LogEntry::Interval(interval) = entry else { panic!("{entry:?}") };
            assert_eq!(interval.tag().unwrap().as_str(), format!("{flow}.{latency}"));
            assert_eq!(
                (interval.start_timestamp(), interval.duration()),
                (Duration::from_secs(*at), Duration::from_secs(1))
            );
            let encoded = STANDARD.decode(interval.encoded_histogram()).unwrap();
            let read: Histogram<u64> = Deserializer::new().deserialize(&mut encoded.as_slice()).unwrap();
            assert_eq!(&read, histogram);
        }
    }

    #[test]
    fn a_tag_that_would_break_the_line_is_refused() {
        let mut log = HlogWriter::new(Vec::new(), "x", 0).unwrap();
        let error = log.write(("a,b", "c"), Duration::ZERO, Duration::ZERO, &millis(1..=1)).unwrap_err();
        assert!(error.to_string().contains("a,b.c"), "{error}");
    }
}
