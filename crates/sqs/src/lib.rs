//! Amazon SQS: the client, the sink of subscriptions, and the pollers of sources.
//!
//! The requests are those of AWS's own library. They go over Easel's HTTP client and TLS ([`AwsHttp`]), so there is
//! no second TLS in the program.
//!
//! Promises:
//! - An event of a queue is deleted there only after it is on stable storage here.
//! - A message that is no event is in quarantine once, and then deleted.
//! - The sink answers for each event alone. With order by key, no event overtakes an earlier one of its key.
//!
//! AWS's library reads credentials from the environment (`AWS_…`), from `~/.aws` and from the machine's role.
//! This room reads no environment itself.

mod aws_http;
mod queue_address;
mod queue_client;
mod queue_error;

mod sqs_message;
mod sqs_sink;

mod poller;
mod sqs_pollers;

pub use aws_http::{AwsHttp, AwsHttpError};
pub use queue_address::{QueueAddress, QueueAddressError};
pub use queue_client::{AwsCredentials, QueueClient};
pub use queue_error::QueueError;
pub use sqs_pollers::{MakeClient, SqsPollers};
pub use sqs_sink::{SqsSink, SqsSinkOptions};
