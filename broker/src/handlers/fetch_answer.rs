//! Laying out a fetch's answer: records travel as they lie in memory, never copied into the response.

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::fetch_response::{FetchBody, FetchLayout, FetchPartition, FetchTopic};
use thalweg_protocol::messages::fetch_response::{AbortedTransaction, EpochEndOffset, LeaderIdAndEpoch, PartitionData};
use thalweg_protocol::messages::{BrokerId, ProducerId};

use super::fetch_read::Read;
use super::fetch_session::{Key, Mode, Told, Wanted};
use super::{k01_fetch, topics};
use crate::dispatch::{Answer, Context};

/// An answer that is nothing but an error.
pub fn refuse(context: &Context, error: ErrorCode) -> Answer {
    send(context, &FetchBody { error, ..FetchBody::default() })
}

pub fn lay_out(
    context: &Context,
    mode: Mode,
    wanted: &[(Key, Wanted)],
    reads: Vec<Option<Read>>,
    read_committed: bool,
) -> Answer {
    let session_id = match mode {
        Mode::Full => 0,
        Mode::Created(id) | Mode::Incremental(id) => id,
    };
    let mut moved = false;
    let mut laid = Vec::new();
    for (topic, partitions) in k01_fetch::by_topic(wanted, reads) {
        let news = partitions.into_iter().filter(|(key, read)| is_news(context, mode, key, read));
        let partitions: Vec<FetchPartition> = news
            .map(|(key, read)| {
                moved |= read.error == ErrorCode::NotLeaderOrFollower;
                context.core.shared.metrics.fetched_bytes.add(read.bytes as u64);
                let mut data = describe(context, &key, &read);
                // Only those who read committed records are told which transactions to leave out.
                let tells = read_committed && read.error == ErrorCode::None;
                data.aborted_transactions = tells.then(|| read.aborted.iter().map(tell).collect());
                FetchPartition { data, records: read.records }
            })
            .collect();
        if !partitions.is_empty() {
            laid.push(FetchTopic::new(&topic.topic, topic.topic_id, partitions));
        }
    }
    let mut body = FetchBody { session_id, topics: laid, ..FetchBody::default() };
    if moved {
        body.node_endpoints = topics::endpoints(context).map(Into::into).collect();
    }
    send(context, &body)
}

fn tell(aborted: &thalweg_storage::log::AbortedTransaction) -> AbortedTransaction {
    AbortedTransaction::default()
        .with_producer_id(ProducerId(aborted.producer.0))
        .with_first_offset(aborted.first_offset.0)
}

fn send(context: &Context, body: &FetchBody) -> Answer {
    match FetchLayout::new(context.correlation_id, context.version, body) {
        Ok(layout) => Answer::Send(layout.into_pieces()),
        Err(error) => Answer::Close(format!("a fetch response could not be laid out: {error}")),
    }
}

fn is_news(context: &Context, mode: Mode, key: &Key, read: &Read) -> bool {
    let (Mode::Created(id) | Mode::Incremental(id)) = mode else { return true };
    let told = Told { high_watermark: read.high_watermark, log_start_offset: read.log_start_offset };
    let has_error = read.error != ErrorCode::None || read.divergence.is_some();
    let news = context.core.fetch_sessions.borrow_mut().is_news(id, key, told, read.bytes > 0, has_error);
    news || matches!(mode, Mode::Created(_))
}

fn describe(context: &Context, key: &Key, read: &Read) -> PartitionData {
    let mut data = PartitionData::default()
        .with_partition_index(key.partition)
        .with_error_code(read.error.code())
        .with_high_watermark(read.high_watermark)
        .with_last_stable_offset(read.last_stable_offset)
        .with_log_start_offset(read.log_start_offset)
        .with_preferred_read_replica(BrokerId(-1));
    if let Some((epoch, end)) = read.divergence {
        data.diverging_epoch = EpochEndOffset::default().with_epoch(epoch.0).with_end_offset(end.0);
    }
    if read.error == ErrorCode::NotLeaderOrFollower {
        let leader = topics::leader(context, &key.topic, key.topic_id, key.partition);
        data.current_leader = LeaderIdAndEpoch::default()
            .with_leader_id(BrokerId(leader.node.map_or(-1, |node| node.0)))
            .with_leader_epoch(leader.epoch.0);
    }
    data
}
