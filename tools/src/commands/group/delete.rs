//! `thalweg group delete`

use clap::Args;
use serde::Serialize;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse, GroupId};

use super::find;
use crate::cli::Global;
use crate::cluster::{Cluster, text};
use crate::coordinator;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[arg(required = true, value_name = "GROUP")]
    groups: Vec<String>,
    /// A group that does not exist is fine
    #[arg(long)]
    if_exists: bool,
}

#[derive(Serialize)]
struct Deleted {
    deleted: Vec<String>,
    missing: Vec<String>,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(global)?;
    let mut done = Deleted { deleted: Vec::new(), missing: Vec::new() };
    let mut failed = None;
    for name in &arguments.groups {
        let code = delete(&mut cluster, global, name)?;
        match ErrorCode::from_code(code) {
            Some(ErrorCode::None) => done.deleted.push(name.clone()),
            Some(ErrorCode::GroupIdNotFound) if arguments.if_exists => done.missing.push(name.clone()),
            Some(ErrorCode::GroupIdNotFound) => {
                let all = find::all(&mut cluster, global)?;
                failed = failed.or_else(|| Some(find::unknown(&all, name)));
            }
            _ => {
                let refused = Failure::refused(format!("cannot delete group `{name}`"), code, None);
                failed = failed.or(Some(refused));
            }
        }
    }
    if failed.is_none() || !done.deleted.is_empty() {
        global.output().emit(&done, text_of)?;
    }
    failed.map_or(Ok(()), Err)
}

fn delete(cluster: &mut Cluster, global: &Global, name: &str) -> Result<i16, Failure> {
    let code_of = |answer: &DeleteGroupsResponse| {
        answer.results.first().map_or(ErrorCode::UnknownServerError.code(), |result| result.error_code)
    };
    let request = DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text(name))]);
    Ok(code_of(&coordinator::call(cluster, global, name, &request, code_of)?))
}

fn text_of(done: &Deleted) -> String {
    let deleted = done.deleted.iter().map(|name| format!("deleted group {name}\n"));
    deleted.chain(done.missing.iter().map(|name| format!("group {name} did not exist\n"))).collect()
}
