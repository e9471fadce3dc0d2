//! The head of each value: whose run it is of, and when it was due. Consumers count end-to-end latency from there.
//!
//! `TWB1`, the run's number (u32), the due moment in nanoseconds since 1970 (u64), big-endian. Values that are shorter
//! carry none.

/// Bytes of the head.
pub(crate) const LEN: usize = 16;

const MAGIC: [u8; 4] = *b"TWB1";

pub(crate) fn stamp(run_id: u32, due_unix_ns: u64) -> [u8; LEN] {
    let head = u128::from(u32::from_be_bytes(MAGIC)) << 96 | u128::from(run_id) << 64 | u128::from(due_unix_ns);
    head.to_be_bytes()
}

/// When a record of this run was due, in nanoseconds since 1970; `None` for any other value.
pub(crate) fn due_unix_ns(value: &[u8], run_id: u32) -> Option<u64> {
    let head = u128::from_be_bytes(*value.first_chunk::<LEN>()?);
    let due = u64::try_from(head & u128::from(u64::MAX)).ok()?;
    (value.starts_with(&MAGIC) && head == u128::from_be_bytes(stamp(run_id, due))).then_some(due)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "tests")]

    use super::*;

    #[test]
    fn a_moment_is_read_from_values_of_the_same_run_alone() {
        let mut value = stamp(0x0102_0304, 0x1122_3344_5566_7788).to_vec();
        assert_eq!(value, *b"TWB1\x01\x02\x03\x04\x11\x22\x33\x44\x55\x66\x77\x88");
        value.extend_from_slice(b"payload");
        assert_eq!(due_unix_ns(&value, 0x0102_0304), Some(0x1122_3344_5566_7788));
        assert_eq!(due_unix_ns(&value, 0x0102_0305), None);
        assert_eq!(due_unix_ns(&value[..15], 0x0102_0304), None);
        value[0] = b't';
        assert_eq!(due_unix_ns(&value, 0x0102_0304), None);
    }
}
