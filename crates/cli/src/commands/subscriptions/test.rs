//! `easel subscriptions test`

use anyhow::anyhow;
use serde::Deserialize;
use serde_json::Value;

use super::fields::object;
use crate::args::GlobalArgs;
use crate::client::{self, Client};
use crate::exit_code::{Code, Failure};
use crate::output;

const EXAMPLES: &str = "\
The server sends the catalogue's example of an event, once, in the form of the subscription. Its
header `easel-test: true` and its producer `easel-test` tell it from a real event. It is not put on
the log and not counted. The exit code is 69 when the endpoint did not take it over.

Examples:
  easel subscriptions test grades
  easel subscriptions test grades --event grade_change
  easel subscriptions test https://events.example.edu/canvas --format caliper";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TestArgs {
    /// Name of a subscription, or URL of an endpoint
    #[arg(value_name = "NAME|URL")]
    target: String,
    /// Event type to send [default: one that the subscription wants]
    #[arg(long, value_name = "EVENT")]
    event: Option<String>,
    /// Form to send it in, to a URL: canvas, caliper or caliper-strict [default: canvas]
    #[arg(long)]
    format: Option<String>,
}

/// What the endpoint answered.
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
        let target = if self.target.contains("://") {
            "url"
        } else {
            "subscription"
        };
        let order = object([
            (target, Some(self.target.as_str().into())),
            ("event", self.event.as_deref().map(Value::from)),
            ("format", self.format.as_deref().map(Value::from)),
        ]);
        let answer = client
            .post("/v1/test-deliveries", Some(&order.into()))
            .await?;
        let tested: TestedJson = client::read(&answer)?;
        if global.json {
            output::bytes(&answer)?;
        } else {
            tested.print()?;
        }
        if tested.delivered {
            return Ok(());
        }
        let reason = tested.error.unwrap_or_default();
        Err(Failure::new(
            Code::Unavailable,
            anyhow!(output::plain(&reason)),
        ))
    }
}

impl TestedJson {
    fn print(&self) -> Result<(), Failure> {
        let url = output::plain(&self.url);
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
        output::line(format_args!("body      {}", output::plain(&self.body)))
    }
}
