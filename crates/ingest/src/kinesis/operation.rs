//! The supported operations.

use axum::http::HeaderMap;

use super::error::KinesisError;

const TARGET: &str = "x-amz-target";
const VERSION: &str = "Kinesis_20131202.";

/// An operation, named by the header `X-Amz-Target`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KinesisOperation {
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

impl KinesisOperation {
    const ALL: [Self; 9] = [
        Self::PutRecord,
        Self::PutRecords,
        Self::GetRecords,
        Self::GetShardIterator,
        Self::CreateStream,
        Self::DescribeStream,
        Self::DescribeStreamSummary,
        Self::ListStreams,
        Self::ListShards,
    ];

    pub(super) fn from_headers(headers: &HeaderMap) -> Result<Self, KinesisError> {
        let target = headers.get(TARGET).and_then(|target| target.to_str().ok());
        let target = target.ok_or_else(|| {
            KinesisError::unknown_operation("this is a Kinesis endpoint: X-Amz-Target is missing")
        })?;
        let name = target.strip_prefix(VERSION);
        let operation = Self::ALL
            .into_iter()
            .find(|operation| name == Some(operation.as_str()));
        operation
            .ok_or_else(|| KinesisError::unknown_operation(format!("{target} is not supported")))
    }

    /// Returns the name of the operation.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::PutRecord => "PutRecord",
            Self::PutRecords => "PutRecords",
            Self::GetRecords => "GetRecords",
            Self::GetShardIterator => "GetShardIterator",
            Self::CreateStream => "CreateStream",
            Self::DescribeStream => "DescribeStream",
            Self::DescribeStreamSummary => "DescribeStreamSummary",
            Self::ListStreams => "ListStreams",
            Self::ListShards => "ListShards",
        }
    }
}
