//! Text scripts against a shard with a hand-turned clock: a command, `----`, what comes of it. The scripts are in
//! `../testdata`; `THALWEG_REWRITE=1` writes what came out into them: commit that only if you know why it changed.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod bench;
mod golden;
mod limits;
mod print;
mod script;
mod walk;

use std::fs;
use std::path::PathBuf;

use bench::Bench;

fn testdata() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/coordinator/group/testdata")
}

/// Runs a script and gives it back with the results in place.
fn run(text: &str) -> String {
    let mut bench = Bench::new();
    script::map_blocks(text, |command| bench.command(command))
}

#[test]
fn scripts_give_what_they_say() {
    let mut scripts: Vec<PathBuf> = fs::read_dir(testdata()).unwrap().map(|entry| entry.unwrap().path()).collect();
    scripts.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    scripts.sort();
    assert!(scripts.len() >= 10, "the scripts are where they are looked for");
    for path in scripts {
        let expected = fs::read_to_string(&path).unwrap();
        let actual = run(&expected);
        if std::env::var_os("THALWEG_REWRITE").is_some() {
            fs::write(&path, &actual).unwrap();
        } else {
            let name = path.file_name().unwrap().to_string_lossy();
            assert!(actual == expected, "{name}: {}", script::first_difference(&expected, &actual));
        }
    }
}
