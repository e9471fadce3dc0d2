//! `thalweg completion bash|zsh|fish`

use std::io::{self, Write};

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::failure::Failure;

/// For bash: source <(thalweg completion bash)
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    // Into memory first: clap's generator panics when stdout is closed.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "thalweg", &mut script);
    io::stdout().write_all(&script).map_err(|error| Failure::output(&error))
}
