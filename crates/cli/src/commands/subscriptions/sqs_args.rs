//! The flags of `add` and `edit` for a queue.

use serde_json::Value;

use super::fields::object;
use crate::exit_code::Failure;
use crate::secret_arg::{SecretArg, SecretReader};

/// The queue of a subscription. Without a flag, `add` uses the default, and `edit` changes nothing.
#[derive(Debug, clap::Args)]
pub(super) struct SqsArgs {
    /// URL of the queue of Amazon SQS that receives the events. A FIFO queue requires `--order key`
    #[arg(long, value_name = "URL", conflicts_with_all = ["webhook", "sql"])]
    sqs: Option<SecretArg>,
    /// AWS region of the queue [default: the one in its URL]
    #[arg(long, value_name = "REGION", conflicts_with_all = ["webhook", "sql"])]
    sqs_region: Option<String>,
    /// Address of the service, such as that of an emulator [default: that of AWS]
    #[arg(long, value_name = "URL", conflicts_with_all = ["webhook", "sql"])]
    sqs_endpoint: Option<String>,
    /// Profile of the files in `~/.aws` of the server with the credentials
    #[arg(long, value_name = "NAME", conflicts_with_all = ["webhook", "sql", "sqs_key_id"])]
    sqs_profile: Option<String>,
    /// Id of the access key for the queue [default: the credentials of the server's environment]
    #[arg(long, value_name = "ID", conflicts_with_all = ["webhook", "sql"])]
    sqs_key_id: Option<String>,
    /// Secret of the access key for the queue
    #[arg(long, value_name = "SECRET", conflicts_with_all = ["webhook", "sql", "sqs_profile"])]
    sqs_secret_key: Option<SecretArg>,
}

impl SqsArgs {
    /// Adds the member `sqs` with the values of the flags to `spec`. A profile replaces keys, and keys replace a
    /// profile, if `null` removes a member.
    pub(super) fn add_to(
        &self,
        spec: &mut Value,
        reader: &mut SecretReader,
        replaced: ReplacedCredentials,
    ) -> Result<(), Failure> {
        let url = self.sqs.as_ref().map(|url| reader.read("--sqs", url));
        let secret = self.sqs_secret_key.as_ref();
        let secret = secret.map(|secret| reader.read("--sqs-secret-key", secret));
        let (url, secret) = (url.transpose()?, secret.transpose()?);
        let text = |text: &Option<String>| text.as_deref().map(Value::from);
        let mut sqs = object([
            ("queue_url", url.map(|url| url.expose().as_str().into())),
            ("region", text(&self.sqs_region)),
            ("endpoint_url", text(&self.sqs_endpoint)),
            ("profile", text(&self.sqs_profile)),
            ("access_key_id", text(&self.sqs_key_id)),
            (
                "secret_access_key",
                secret.map(|secret| secret.expose().as_str().into()),
            ),
        ]);
        let others: &[&str] = match (&self.sqs_profile, &self.sqs_key_id, replaced) {
            (Some(_), _, ReplacedCredentials::Removed) => &["access_key_id", "secret_access_key"],
            (None, Some(_), ReplacedCredentials::Removed) => &["profile"],
            (_, _, ReplacedCredentials::Removed | ReplacedCredentials::Absent) => &[],
        };
        sqs.extend(others.iter().map(|name| ((*name).to_owned(), Value::Null)));
        if let Some(members) = spec.as_object_mut()
            && !sqs.is_empty()
        {
            members.insert("sqs".to_owned(), sqs.into());
        }
        Ok(())
    }
}

/// What becomes of credentials that other credentials replace.
#[derive(Clone, Copy, Debug)]
pub(super) enum ReplacedCredentials {
    /// There are none: the subscription is new.
    Absent,
    /// A `null` in the patch removes them.
    Removed,
}
