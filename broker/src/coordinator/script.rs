//! The form of the scripts that coordinators are tested with.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A command: a word, and `name=value` pairs.
pub(super) struct Command {
    pub(super) name: String,
    arguments: BTreeMap<String, String>,
}

impl Command {
    fn parse(line: &str) -> Self {
        let mut words = line.split_whitespace();
        let name = words.next().expect("a command has a name").to_owned();
        let argument = |word: &str| {
            let (name, value) = word.split_once('=').unwrap_or_else(|| panic!("{word:?} in {line:?} is no name=value"));
            (name.to_owned(), value.to_owned())
        };
        Self { name, arguments: words.map(argument).collect() }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.arguments.get(name).map(String::as_str)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.arguments.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn text<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.get(name).unwrap_or(default)
    }

    pub(super) fn number<T: std::str::FromStr>(&self, name: &str, default: T) -> T {
        self.get(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name}={value} is no number")))
    }
}

/// Blocks are divided by empty lines. Lines that begin with `#` are prose.
pub(super) fn map_blocks(text: &str, mut run: impl FnMut(&Command) -> String) -> String {
    let blocks: Vec<String> = text
        .trim_end()
        .split("\n\n")
        .map(|block| {
            let (prose, rest): (Vec<&str>, Vec<&str>) = block.lines().partition(|line| line.starts_with('#'));
            let mut lines: Vec<String> = prose.iter().map(|line| (*line).to_owned()).collect();
            if let Some(line) = rest.iter().find(|line| !line.trim().is_empty()) {
                let result = run(&Command::parse(line));
                lines.extend([(*line).to_owned(), "----".to_owned()]);
                lines.extend(result.lines().map(str::to_owned));
            }
            lines.join("\n")
        })
        .collect();
    blocks.join("\n\n") + "\n"
}

fn first_difference(expected: &str, actual: &str) -> String {
    let mut lines = (1..).zip(expected.lines().zip(actual.lines()));
    let (number, (wanted, got)) = lines.find(|(_, (wanted, got))| wanted != got).unwrap_or((0, ("", "one is longer")));
    format!("line {number}\n  wanted: {wanted}\n  got:    {got}\n\n{actual}")
}

/// Runs every script of a folder; `run` gives a script back with the results in place. `THALWEG_REWRITE=1` writes what came
/// out into them: commit that only if you know why it changed.
pub(super) fn run_all(folder: &Path, count_min: usize, run: impl Fn(&str) -> String) {
    let mut scripts: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    scripts.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    scripts.sort();
    assert!(scripts.len() >= count_min, "the scripts are where they are looked for");
    for path in scripts {
        let expected = fs::read_to_string(&path).unwrap();
        let actual = run(&expected);
        if std::env::var_os("THALWEG_REWRITE").is_some() {
            fs::write(&path, &actual).unwrap();
        } else {
            let name = path.file_name().unwrap().to_string_lossy();
            assert!(actual == expected, "{name}: {}", first_difference(&expected, &actual));
        }
    }
}
