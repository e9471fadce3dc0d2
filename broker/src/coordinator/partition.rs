//! Which partition of its internal topic a group or a transactional id belongs to. Clients never compute this, but Kafka's
//! tools do, and a data directory that came from Kafka is only usable with the same rule.

use thalweg_protocol::PartitionIndex;

/// The partition that coordinates `name`, of `partitions` in all.
#[must_use]
pub fn partition_for(name: &str, partitions: u32) -> PartitionIndex {
    let hash = java_hash(name);
    // Kafka's `Utils.abs` makes 0 of the one number that has no absolute value.
    let positive = hash.checked_abs().unwrap_or(0);
    PartitionIndex(positive % i32::try_from(partitions.max(1)).unwrap_or(i32::MAX))
}

/// `String.hashCode`, over UTF-16 code units.
fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_java_does() {
        assert_eq!(java_hash(""), 0);
        assert_eq!(java_hash("hello"), 99_162_322);
        // The well-known string whose hash is Integer.MIN_VALUE.
        assert_eq!(java_hash("polygenelubricants"), i32::MIN);
        assert_eq!(java_hash("\u{1F600}"), 0xD83D * 31 + 0xDE00);
    }

    #[test]
    fn stays_within_the_partitions() {
        assert_eq!(partition_for("polygenelubricants", 50), PartitionIndex(0));
        assert_eq!(partition_for("hello", 50), PartitionIndex(22));
        assert_eq!(partition_for("hello", 0), PartitionIndex(0));
    }
}
