//! Offsets in a file, as `kafka-consumer-groups --export` writes them: `topic,partition,offset` a line, or
//! `group,topic,partition,offset` of several groups.

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// `None` in a file of one group.
    pub(crate) group: Option<String>,
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

/// Every line of a file; empty lines count for nothing.
pub(crate) fn parse(text: &str) -> Result<Vec<Row>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(at, line)| row(line).ok_or_else(|| wrong(at + 1, line))).collect()
}

fn wrong(number: usize, line: &str) -> String {
    format!("line {number} is neither TOPIC,PARTITION,OFFSET nor GROUP,TOPIC,PARTITION,OFFSET: {line}")
}

fn row(line: &str) -> Option<Row> {
    let mut fields = fields(line)?;
    let offset = fields.pop()?.trim().parse().ok().filter(|offset| *offset >= 0)?;
    let partition = fields.pop()?.trim().parse().ok().filter(|partition| *partition >= 0)?;
    let topic = fields.pop().filter(|topic| !topic.is_empty())?;
    let group = fields.pop();
    fields.is_empty().then_some(Row { group, topic, partition, offset })
}

/// The fields of a line; quotes, doubled within, hold what has commas.
fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        let field = fields.last_mut()?;
        match letter {
            '"' if quoted && letters.next_if_eq(&'"').is_some() => field.push('"'),
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            '"' => return None,
            ',' if !quoted => fields.push(String::new()),
            _ => field.push(letter),
        }
    }
    (!quoted).then_some(fields)
}

/// The lines of a file that `parse` reads back.
pub(crate) fn render(rows: &[Row]) -> String {
    let lines = rows.iter().map(|row| {
        let group = row.group.as_ref().map_or_else(String::new, |group| quote(group) + ",");
        format!("{group}{},{},{}\n", quote(&row.topic), row.partition, row.offset)
    });
    lines.collect()
}

fn quote(field: &str) -> String {
    if field.contains([',', '"', ' ']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.to_owned() }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{Row, parse, render};

    fn row(group: Option<&str>, topic: &str, partition: i32, offset: i64) -> Row {
        Row { group: group.map(str::to_owned), topic: topic.to_owned(), partition, offset }
    }

    #[test]
    fn files_of_one_and_of_several_groups_come_back() {
        let rows = [row(None, "a", 0, 5), row(Some("g,\"x\" y"), "b", 12, 0)];
        let text = "a,0,5\n\"g,\"\"x\"\" y\",b,12,0\n";
        assert_eq!(render(&rows), text);
        assert_eq!(parse(text).unwrap(), rows);
        assert_eq!(parse("\n \"a\",0,5 \n").map_err(|_| ()), Err(()));
        assert_eq!(parse("\n\"a\",0,5\n").unwrap(), [row(None, "a", 0, 5)]);
    }

    #[test]
    fn what_is_no_such_line_is_refused_with_its_number() {
        for bad in ["a", "a,0", "a,0,x", "a,-1,5", "a,0,-5", "g,a,0,5,6", ",0,5", "\"a,0,5"] {
            let refused = parse(&format!("a,0,1\n{bad}\n")).unwrap_err();
            assert!(refused.starts_with("line 2 "), "{bad}: {refused}");
        }
    }
}
