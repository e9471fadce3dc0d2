//! `thalweg consume`

mod client;
mod format;
mod show;
mod start;

use clap::Args;

use crate::cli::Global;
use crate::client::property;
use crate::encoding::Encoding;
use crate::failure::Failure;

use format::Format;
use start::Start;

/// Without --group every partition is read, from --from on, and nothing is remembered. With --group the group's
/// committed offsets say where to go on, and are committed again at the end.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    topic: String,
    /// Where to begin: start, end, an offset, -N (the last N of each partition), or @TIME
    ///
    /// TIME is 2026-11-20, 2026-11-20T07:00:00Z, milliseconds since 1970, or how long ago: -90s, -10m, -2h, -7d
    #[arg(long, value_name = "WHERE", default_value = "start", allow_hyphen_values = true, value_parser = start::parse)]
    from: Start,
    /// Stop after so many records
    #[arg(short = 'n', long, value_name = "N")]
    count: Option<u64>,
    /// Stop at the end of every partition instead of waiting for more
    #[arg(short = 'e', long)]
    until_end: bool,
    /// Only this partition; may be repeated
    #[arg(short, long, value_parser = clap::value_parser!(i32).range(0..), conflicts_with = "group")]
    partition: Vec<i32>,
    /// Read as a member of this consumer group
    #[arg(short, long)]
    group: Option<String>,
    /// Show the key before the value, with a tab between
    #[arg(short, long, conflicts_with = "format")]
    key: bool,
    /// Show records so: %s value, %k key, %t topic, %p partition, %o offset, %T timestamp, %h headers, %S %K sizes, \n
    #[arg(short, long, value_name = "TEMPLATE", value_parser = format::parse)]
    format: Option<Format>,
    /// Show keys and values in this encoding
    #[arg(long, value_enum, default_value_t)]
    bytes: Encoding,
    /// Also records of transactions that are open or were aborted
    #[arg(long)]
    uncommitted: bool,
    /// A property for librdkafka; may be repeated
    #[arg(short = 'X', long, value_name = "KEY=VALUE", value_parser = property)]
    property: Vec<(String, String)>,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<(), Failure> {
    if global.json && (arguments.format.is_some() || arguments.key) {
        return Err(Failure::usage("--json has a format of its own").hint("leave out --format and --key"));
    }
    let show = show::Show::new(global.json, arguments);
    client::consume(global, arguments, show)
}
