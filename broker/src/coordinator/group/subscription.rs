//! The topics in a consumer's subscription metadata. Version 0 of the consumer protocol is the beginning of every later
//! version, so that is all that is read (as Kafka's `ClassicGroup.computeSubscribedTopics` does).

use bytes::Buf;

/// The subscribed topics, or `None` if the bytes are something else.
pub(super) fn topics(mut metadata: &[u8]) -> Option<Vec<String>> {
    let version = metadata.try_get_i16().ok()?;
    if version < 0 {
        return None;
    }
    let count = usize::try_from(metadata.try_get_i32().ok()?).ok()?;
    // A topic is at least its two length bytes: a count beyond that is a lie, and nothing is allocated for it.
    if count > metadata.len() / 2 {
        return None;
    }
    (0..count).map(|_| topic(&mut metadata)).collect()
}

fn topic(metadata: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(metadata.try_get_i16().ok()?).ok()?;
    let (name, rest) = metadata.split_at_checked(length)?;
    *metadata = rest;
    String::from_utf8(name.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_topics_of_any_version() {
        let bytes = [0, 3, 0, 0, 0, 2, 0, 1, b'a', 0, 2, b'b', b'c', 255, 255, 255, 255, 9, 9];
        assert_eq!(topics(&bytes), Some(vec!["a".to_owned(), "bc".to_owned()]));
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        assert_eq!(topics(&[]), None);
        assert_eq!(topics(&[0, 0, 127, 255, 255, 255]), None, "more topics than bytes");
        assert_eq!(topics(&[0, 0, 0, 0, 0, 1, 0, 9, b'a']), None, "a topic longer than the rest");
        assert_eq!(topics(&[255, 255, 0, 0, 0, 0]), None, "no such version");
    }
}
