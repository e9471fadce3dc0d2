//! `thalweg group reset-offsets`

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use clap::{ArgGroup, Args};
use serde::Serialize;
use thalweg_protocol::error::ErrorCode;

use super::committed::{self, Offsets};
use super::find::{self, Listed};
use super::reset_commit;
use super::reset_file::{self, Row};
use super::reset_plan::{Known, Target, moved};
use super::reset_scope::{self, Scope};
use crate::cli::Global;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::offsets::{self, EARLIEST, LATEST};
use crate::output::{Table, or_dash};
use crate::time;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("target").required(true))]
#[command(group = ArgGroup::new("scope").required(true).multiple(true))]
pub(crate) struct Arguments {
    #[arg(required = true, value_name = "GROUP")]
    groups: Vec<String>,
    /// Partitions of this topic, all or those named; may be repeated
    #[arg(long = "topic", value_name = "TOPIC[:0,1]", value_parser = reset_scope::parse, group = "scope")]
    topics: Vec<Scope>,
    /// Every partition that the group has committed an offset of
    #[arg(long, conflicts_with = "topics", group = "scope")]
    all_topics: bool,
    /// To where partitions begin
    #[arg(long, group = "target")]
    to_earliest: bool,
    /// To where partitions end
    #[arg(long, group = "target")]
    to_latest: bool,
    /// To where they are, and to the end where there are none: to export them, or to keep them from expiring
    #[arg(long, group = "target")]
    to_current: bool,
    /// To this offset, or the nearest that there is
    #[arg(long, value_name = "OFFSET", group = "target", value_parser = clap::value_parser!(i64).range(0..))]
    to_offset: Option<i64>,
    /// So many records on; back, if negative
    #[arg(long, value_name = "N", group = "target", allow_hyphen_values = true)]
    shift_by: Option<i64>,
    /// To the first record from this time on: 2026-11-20, 2026-11-20T07:00:00Z, milliseconds
    #[arg(long, value_name = "TIME", group = "target", value_parser = time_of)]
    to_datetime: Option<i64>,
    /// To the first record that is at most so old: 90s, 10m, 2h, 7d, or ISO 8601's PT1H30M
    #[arg(long, value_name = "DURATION", group = "target", value_parser = duration_of)]
    by_duration: Option<i64>,
    /// To what a file says, as `--export` writes it
    #[arg(long, value_name = "FILE", groups = ["target", "scope"])]
    from_file: Option<PathBuf>,
    /// Do it; without this, only show what would be done
    #[arg(long)]
    execute: bool,
    /// Write the new offsets as CSV, for `--from-file` and for Kafka's tools
    #[arg(long, conflicts_with = "json")]
    export: bool,
}

#[derive(Serialize)]
struct Reset {
    executed: bool,
    offsets: Vec<Change>,
}

/// One partition's offset, before and after.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Change {
    pub(super) group: String,
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) before: Option<i64>,
    pub(super) after: i64,
}

/// One group's reset: what is known of the group, and what of the partitions.
struct Plan<'a> {
    cluster: &'a mut Cluster,
    global: &'a Global,
    arguments: &'a Arguments,
    file: &'a [Row],
    group: &'a str,
    committed: Offsets,
}

/// An offset for each partition of a topic.
type ByPartition = HashMap<i32, i64>;

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<(), Failure> {
    let file = arguments.from_file.as_ref().map_or_else(|| Ok(Vec::new()), |path| read(path, &arguments.groups))?;
    let mut cluster = Cluster::connect(global)?;
    let all = find::all(&mut cluster, global)?;
    let mut offsets = Vec::new();
    for group in &arguments.groups {
        check_idle(&all, group)?;
        let committed = committed::fetch(&mut cluster, global, group)?;
        let mut plan = Plan { cluster: &mut cluster, global, arguments, file: &file, group, committed };
        offsets.extend(plan.changes()?);
    }
    if arguments.execute {
        reset_commit::commit(&mut cluster, global, &offsets)?;
    }
    let reset = Reset { executed: arguments.execute, offsets };
    if !arguments.execute && !arguments.export && !global.json {
        eprintln!("nothing was changed: --execute does it");
    }
    let several = arguments.groups.len() > 1;
    global.output().emit(&reset, |reset| if arguments.export { csv(reset, several) } else { text_of(reset) })
}

fn time_of(text: &str) -> Result<i64, String> {
    let why = "this is no time: 2026-11-20, 2026-11-20T07:00:00Z or milliseconds since 1970";
    time::parse(text, time::now_ms()).ok_or_else(|| why.to_owned())
}

fn duration_of(text: &str) -> Result<i64, String> {
    time::parse_duration(text).ok_or_else(|| "this is no duration: 90s, 10m, 2h, 7d or PT1H30M".to_owned())
}

fn read(path: &PathBuf, groups: &[String]) -> Result<Vec<Row>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))?;
    let rows = reset_file::parse(&text).map_err(|why| Failure::new(format!("{}: {why}", path.display())))?;
    if groups.len() > 1 && rows.iter().any(|row| row.group.is_none()) {
        return Err(Failure::usage(format!("{} does not say which group its offsets are of", path.display()))
            .hint("name one group, or write GROUP,TOPIC,PARTITION,OFFSET"));
    }
    Ok(rows)
}

/// A group whose members run would go on from where they are and commit over it. One that does not exist has none.
fn check_idle(all: &[Listed], group: &str) -> Result<(), Failure> {
    let Some(listed) = all.iter().find(|listed| listed.group == group) else { return Ok(()) };
    if listed.kind == "Share" {
        return Err(Failure::new(format!("group `{group}` is a share group, which commits no offsets")));
    }
    match listed.state.as_deref() {
        None | Some("Empty" | "Dead") => Ok(()),
        Some(state) => Err(Failure::new(format!("group `{group}` is in use: its state is {state}"))
            .with_code(ErrorCode::NonEmptyGroup)
            .hint(format!("stop its members first: thalweg group describe {group} names them"))),
    }
}

impl Plan<'_> {
    fn changes(&mut self) -> Result<Vec<Change>, Failure> {
        let mut changes = Vec::new();
        for (topic, partitions) in self.partitions()? {
            let found = self.cluster.topic(&topic)?;
            let starts = offsets::at(self.cluster, self.global, &found, EARLIEST)?;
            let ends = offsets::at(self.cluster, self.global, &found, LATEST)?;
            let times = match self.target() {
                Some(Target::Time(when)) => offsets::at(self.cluster, self.global, &found, when)?,
                _ => ByPartition::new(),
            };
            let wanted =
                partitions.unwrap_or_else(|| found.partitions.iter().map(|partition| partition.index).collect());
            for partition in wanted {
                changes.push(self.change(&topic, partition, [&starts, &ends, &times])?);
            }
        }
        Ok(changes)
    }

    /// What to move: topics, and which of their partitions unless all.
    fn partitions(&mut self) -> Result<BTreeMap<String, Option<BTreeSet<i32>>>, Failure> {
        if !self.arguments.topics.is_empty() {
            return Ok(reset_scope::merge(&self.arguments.topics));
        }
        let mine: Vec<(String, i32)> = if self.arguments.all_topics {
            self.committed.keys().cloned().collect()
        } else {
            self.rows().map(|row| (row.topic.clone(), row.partition)).collect()
        };
        if mine.is_empty() {
            let what = if self.arguments.all_topics { "has committed no offsets" } else { "is not in that file" };
            return Err(Failure::new(format!("group `{}` {what}", self.group)).hint("`thalweg group list` shows all"));
        }
        let mut partitions: BTreeMap<String, Option<BTreeSet<i32>>> = BTreeMap::new();
        for (topic, partition) in mine {
            partitions.entry(topic).or_default().get_or_insert_default().insert(partition);
        }
        Ok(partitions)
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.file.iter().filter(|row| row.group.as_deref().is_none_or(|group| group == self.group))
    }

    /// `None`: the file says it for each partition.
    fn target(&self) -> Option<Target> {
        let arguments = self.arguments;
        let flags = [
            (arguments.to_earliest, Target::Earliest),
            (arguments.to_latest, Target::Latest),
            (arguments.to_current, Target::Current),
        ];
        let flag = flags.into_iter().find_map(|(given, target)| given.then_some(target));
        flag.or(arguments.to_offset.map(Target::Offset))
            .or(arguments.shift_by.map(Target::Shift))
            .or(arguments.to_datetime.map(Target::Time))
            .or_else(|| arguments.by_duration.map(|ago| Target::Time(time::now_ms().saturating_sub(ago).max(0))))
    }

    fn change(&self, topic: &str, partition: i32, known: [&ByPartition; 3]) -> Result<Change, Failure> {
        let [starts, ends, times] = known;
        let (Some(earliest), Some(latest)) = (starts.get(&partition), ends.get(&partition)) else {
            return Err(Failure::new(format!(
                "partition {partition} of topic `{topic}` does not exist or has no leader"
            ))
            .with_code(ErrorCode::UnknownTopicOrPartition)
            .hint(format!("`thalweg topic describe {topic}` shows them")));
        };
        let before = self.committed.get(&(topic.to_owned(), partition)).map(|committed| committed.offset);
        let known =
            Known { earliest: *earliest, latest: *latest, committed: before, at_time: times.get(&partition).copied() };
        let target = match self.target() {
            Some(target) => target,
            None => Target::Offset(self.as_in_file(topic, partition)?),
        };
        let moved = moved(&target, known).map_err(|why| {
            Failure::new(format!("cannot shift partition {partition} of topic `{topic}`: {why}"))
                .hint("name an offset, or --to-earliest or --to-latest")
        })?;
        if let Some(wanted) = moved.wanted {
            eprintln!("warning: {topic}:{partition} has no offset {wanted}; the nearest is {}", moved.offset);
        }
        Ok(Change { group: self.group.to_owned(), topic: topic.to_owned(), partition, before, after: moved.offset })
    }

    fn as_in_file(&self, topic: &str, partition: i32) -> Result<i64, Failure> {
        let row = self.rows().filter(|row| row.topic == topic && row.partition == partition).last();
        row.map(|row| row.offset)
            .ok_or_else(|| Failure::new(format!("the file has no offset for partition {partition} of topic `{topic}`")))
    }
}

fn csv(reset: &Reset, several: bool) -> String {
    let rows = reset.offsets.iter().map(|change| Row {
        group: several.then(|| change.group.clone()),
        topic: change.topic.clone(),
        partition: change.partition,
        offset: change.after,
    });
    reset_file::render(&rows.collect::<Vec<_>>())
}

fn text_of(reset: &Reset) -> String {
    let mut table = Table::new(["group", "topic", "partition", "before", "after"]);
    for change in &reset.offsets {
        table.row([
            change.group.clone(),
            change.topic.clone(),
            change.partition.to_string(),
            or_dash(change.before),
            change.after.to_string(),
        ]);
    }
    table.render()
}
