//! The operations there are.

use axum::http::HeaderMap;

use super::error::KinesisError;

const TARGET: &str = "x-amz-target";
const VERSION: &str = "Kinesis_20131202.";

/// What a request asks for, by its `X-Amz-Target`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    PutRecord,
    PutRecords,
    GetRecords,
    GetShardIterator,
    CreateStream,
    DescribeStream,
    DescribeStreamSummary,
    ListStreams,
    ListShards,
}

impl Operation {
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, KinesisError> {
        let target = headers.get(TARGET).and_then(|target| target.to_str().ok());
        let target = target.ok_or_else(|| {
            KinesisError::unknown_operation("this is a Kinesis endpoint: it needs an X-Amz-Target")
        })?;
        match target.strip_prefix(VERSION) {
            Some("PutRecord") => Ok(Self::PutRecord),
            Some("PutRecords") => Ok(Self::PutRecords),
            Some("GetRecords") => Ok(Self::GetRecords),
            Some("GetShardIterator") => Ok(Self::GetShardIterator),
            Some("CreateStream") => Ok(Self::CreateStream),
            Some("DescribeStream") => Ok(Self::DescribeStream),
            Some("DescribeStreamSummary") => Ok(Self::DescribeStreamSummary),
            Some("ListStreams") => Ok(Self::ListStreams),
            Some("ListShards") => Ok(Self::ListShards),
            _ => Err(KinesisError::unknown_operation(format!(
                "{target} is not offered here"
            ))),
        }
    }
}
