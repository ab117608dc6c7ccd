//! `easel subscriptions test`

use anyhow::anyhow;
use serde::Deserialize;
use serde_json::Value;

use super::fields::object;
use crate::client::{self, Client};
use crate::exit_code::{Code, Failure};
use crate::global_args::GlobalArgs;
use crate::output;
use crate::secret_arg::{SecretArg, SecretReader};

const AFTER_HELP: &str = "\
The server sends the catalogue's example of an event once, in the format of the
subscription. The header `easel-test: true` and the producer `easel-test`
distinguish this event from a real one. The event is not stored and not counted.
The exit code is 69 if the endpoint does not accept the event.

The query of a URL is a secret. So the URL can be `env:NAME` (an environment
variable), `file:PATH` or `-` (stdin), because other users of this machine can
see the arguments of a command.

Examples:
  easel subscriptions test grades
  easel subscriptions test grades --event grade_change
  easel subscriptions test https://events.example.edu/canvas --format caliper
  easel subscriptions test env:WEBHOOK_URL";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct TestArgs {
    /// Name of a subscription, or URL of an endpoint
    #[arg(value_name = "NAME|URL")]
    target: SecretArg,
    /// Event type to send [default: one that passes the filter of the subscription]
    #[arg(long, value_name = "EVENT")]
    event: Option<String>,
    /// Format of the event if the target is a URL: canvas, caliper or caliper-strict [default: canvas]
    #[arg(long)]
    format: Option<String>,
}

/// The result of the test, as Easel's server returns it. `status` and `body` are from the answer of the
/// endpoint.
#[derive(Deserialize)]
struct TestedJson {
    event: String,
    url: String,
    delivered: bool,
    status: Option<u16>,
    error: Option<String>,
    duration_ms: u64,
    body: String,
}

impl TestArgs {
    pub(super) async fn run(&self, client: &Client, global: &GlobalArgs) -> Result<(), Failure> {
        let is_url = self.target.is_reference() || self.target.expose().contains("://");
        let member = if is_url { "url" } else { "subscription" };
        let target = SecretReader::default().read("URL", &self.target)?;
        let body = object([
            (member, Some(target.expose().as_str().into())),
            ("event", self.event.as_deref().map(Value::from)),
            ("format", self.format.as_deref().map(Value::from)),
        ]);
        let answer = client
            .post("/v1/test-deliveries", Some(&body.into()))
            .await?;
        let tested: TestedJson = client::read(&answer)?;
        if global.json {
            output::with_line_break(&answer)?;
        } else {
            tested.print()?;
        }
        if tested.delivered {
            return Ok(());
        }
        let reason = tested.error.unwrap_or_default();
        Err(Failure::new(
            Code::Unavailable,
            anyhow!(output::printable(&reason)),
        ))
    }
}

impl TestedJson {
    fn print(&self) -> Result<(), Failure> {
        let url = output::printable(&self.url);
        output::line(format_args!("sent      {} to {url}", self.event))?;
        let answer = match self.status {
            Some(status) => status.to_string(),
            None => "nothing".to_owned(),
        };
        output::line(format_args!(
            "answered  {answer} after {} ms",
            self.duration_ms
        ))?;
        if self.body.is_empty() {
            return Ok(());
        }
        output::line(format_args!("body      {}", output::printable(&self.body)))
    }
}
