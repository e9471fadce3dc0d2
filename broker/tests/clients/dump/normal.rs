//! The tool's output without what differs from run to run.

use regex::Regex;
use serde_json::Value;
use uuid::Uuid;

/// One line for each record and marker: what was decoded of it. Offsets and batches are left out, as a broker may write
/// several records at once. What Kafka writes in the order of its hash tables is sorted: tombstones and members' targets that
/// follow one another, and the partitions of a transaction.
pub fn records(dump: &str, topic: Uuid) -> String {
    let replacements = [
        (r#""([a-zA-Z]*[tT]imestamp(?:Ms)?)":"?\d{13}"?"#, r#""$1":TIME"#),
        (r#""(producerId|previousProducerId)":\d+"#, r#""$1":PRODUCER"#),
        (r#""metadataHash":-?\d+"#, r#""metadataHash":HASH"#),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID"),
    ];
    let replacements = replacements.map(|(found, with)| (Regex::new(found).unwrap(), with));
    let topic = base64(topic.as_bytes());
    let mut records: Vec<String> = Vec::new();
    for line in dump.lines() {
        let Some(at) = line.find(" key: ").or_else(|| line.find(" endTxnMarker: ")) else { continue };
        let mut line = sort_partitions(&line[at + 1..]).replace(&topic, "TOPIC");
        for (found, with) in &replacements {
            line = found.replace_all(&line, *with).into_owned();
        }
        records.push(line);
    }
    let is_tombstone = |line: &String| line.ends_with("<DELETE>");
    let is_target = |line: &String| line.starts_with(r#"key: {"type":"7""#) && !is_tombstone(line);
    let alike =
        |one: &String, next: &String| (is_tombstone(one) && is_tombstone(next)) || (is_target(one) && is_target(next));
    records.chunk_by_mut(alike).for_each(|run| run.sort());
    records.iter().map(|line| format!("{line}\n")).collect()
}

fn sort_partitions(line: &str) -> String {
    const FIELD: &str = r#""transactionPartitions":"#;
    let Some((before, rest)) = line.split_once(FIELD) else { return line.to_owned() };
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
    let mut partitions = values.next().unwrap().unwrap();
    let after = &rest[values.byte_offset()..];
    if let Value::Array(topics) = &mut partitions {
        topics.sort_by_key(|topic| topic["topic"].to_string());
        for topic in topics {
            topic["partitionIds"].as_array_mut().unwrap().sort_by_key(Value::as_i64);
        }
    }
    format!("{before}{FIELD}{partitions}{after}")
}

/// As Kafka writes uuids: without padding, and with the letters for addresses.
fn base64(bytes: &[u8; 16]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let number = u128::from_be_bytes(*bytes);
    let letter = |at: u32| {
        let bits = if at == 21 { (number << 4) & 63 } else { (number >> (122 - 6 * at)) & 63 };
        char::from(LETTERS[bits as usize])
    };
    (0..22).map(letter).collect()
}
