//! `easel listen`
//!
//! A temporary subscription for developers of a consumer. The command reads the server's event stream and
//! sends each event from this machine to the consumer, in the same request as a webhook subscription.
//! It configures nothing on the server, and the server stores nothing for it.
//!
//! It does not retry: a failed attempt is printed, and the next event follows.

mod answer;
mod forwarder;
mod keys;

use std::sync::Arc;
use std::time::Duration;

use clap::ArgAction;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use easel_caliper::{Dialect, Translator};
use easel_catalog::{Catalog, UrlMasker};
use easel_server::load_catalog;
use easel_sinks::{Endpoint, WebhookSettings};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::start_position::{BoundsJson, StartPosition};
use crate::catalog;
use crate::client::{self, Client, Follower};
use crate::exit_code::{Code, Failure, OrExit};
use crate::global_args::GlobalArgs;
use crate::output;
use crate::settings::Settings;
use crate::signals::Signals;
use answer::AnswerStyle;
use forwarder::{Forwarder, Unsent};
use keys::UserCommands;

const AFTER_HELP: &str = "\
The command sends each event as one POST request with the headers and the body
of a webhook delivery; the header easel-subscription is `listen`. For each
answer it prints one line: time (UTC), event type, offset, status and latency. A
failed attempt is not retried automatically; the next event follows.

Keys, each followed by Enter: r sends the last event again (easel-attempt
increases), q quits. Lines from a pipe work the same way; the end of the input
does not end the command.

As in a subscription, secret values in the URLs of events are masked, both in
what is sent and in what is printed, unless you set `--masking off`.

The command reads the settings on this machine, not those of the server:
masking.names, webhook.ca_file, and for a Caliper format caliper and
catalog.folder.

Examples:
  easel listen --forward http://localhost:3000
  easel listen --forward http://localhost:3000/hook --event 'grade_*' --print
  easel listen --forward http://localhost:3000 --format caliper --from earliest";

/// The settings of the webhook. Timeout and batch are the defaults of a subscription.
const WEBHOOK_SETTINGS: WebhookSettings = WebhookSettings {
    timeout: Duration::from_secs(15),
    max_items: 1,
    max_in_flight: 1,
};

/// Forward events to a consumer on your machine, as a webhook would
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ListenArgs {
    /// URL that receives each event
    #[arg(long, value_name = "URL", value_parser = endpoint)]
    forward: Endpoint,
    /// Only event types that match; * matches any characters
    #[arg(long, value_name = "GLOB")]
    event: Option<String>,
    /// Format of the events
    #[arg(long, value_enum, default_value_t = ListenFormat::Canvas)]
    format: ListenFormat,
    /// Mask secret values, such as access tokens, in the URLs of events: on or off
    #[arg(long, value_name = "MASKING", default_value = "on", value_parser = masking(),
          action = ArgAction::Set, hide_possible_values = true)]
    masking: bool,
    /// Start position: an offset, a time, an age such as `1h`, `earliest` for the oldest stored event,
    /// or `latest` for the next new event
    #[arg(long, value_name = "WHERE", default_value = "latest")]
    from: StartPosition,
    /// Also print each event, in the format in which it is sent
    #[arg(long)]
    print: bool,
}

/// The format of the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ListenFormat {
    /// The event's own JSON
    Canvas,
    /// A Caliper envelope, as Canvas publishes it
    Caliper,
    /// A Caliper envelope that conforms to the standard
    CaliperStrict,
}

/// An event of the stream.
#[derive(Deserialize)]
struct StreamedJson<'a> {
    offset: u64,
    event_type: String,
    #[serde(borrow)]
    event: &'a RawValue,
}

impl ListenArgs {
    pub(super) async fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let mut signals = Signals::listen().or_exit(Code::Unavailable)?;
        tokio::select! {
            () = signals.stop_requested() => Ok(()),
            ended = self.listen(global) => ended,
        }
    }

    async fn listen(&self, global: &GlobalArgs) -> Result<(), Failure> {
        let mut forwarder = self.forwarder(global)?;
        let client = Client::from_args(global)?;
        catalog::warn_of_unmatched(global, &client, &self.event).await;
        let bounds = BoundsJson::read(&client).await?;
        let from = self.from.offset(&client, &bounds).await?;
        let mut follower = Follower::connect(global, from, self.event.as_deref()).await?;
        self.print_start(&client, from);
        // Read keys only after the connection, so that an early `q` does not hide a connection error.
        let mut keys = UserCommands::read().or_exit(Code::Unavailable)?;
        let quit = keys.quit();
        tokio::select! {
            () = quit.cancelled() => Ok(()),
            ended = self.forward_all(global, &mut forwarder, &mut follower, &mut keys) => ended,
        }
    }

    fn forwarder(&self, global: &GlobalArgs) -> Result<Forwarder, Failure> {
        let config = Settings::load(global, &[])?.config;
        let translation = match self.format.dialect() {
            None => None,
            Some(dialect) => {
                let catalog = Arc::new(load_catalog(config.catalog.folder.as_deref())?);
                let translator = config.translator(&catalog).or_exit(Code::Configuration)?;
                self.warn_of_unmapped(&catalog, &translator);
                Some((translator, dialect))
            }
        };
        let masker = UrlMasker::with_names(config.masking.names).or_exit(Code::Configuration)?;
        let masker = self.masking.then_some(masker);
        let forwarder = Forwarder::new(self.forward.clone(), &config.webhook, masker, translation);
        forwarder.or_exit(Code::Configuration)
    }

    /// Warns if `--event` matches only event types without a Caliper form.
    fn warn_of_unmapped(&self, catalog: &Catalog, translator: &Translator) {
        let Some(glob) = &self.event else {
            return;
        };
        let mut names = catalog
            .matching(glob)
            .map(|event_type| event_type.name)
            .peekable();
        if names.peek().is_some() && !names.any(|name| translator.translates(name)) {
            let glob = output::printable(glob);
            output::notice(format_args!(
                "warning: --event {glob} matches no event type that has a Caliper form"
            ));
        }
    }

    fn print_start(&self, client: &Client, from: u64) {
        let event_types = self.event.as_deref().unwrap_or("all");
        output::notice(format_args!(
            "forwarding {} events from {} to {}, format {}, beginning at offset {from}",
            output::printable(event_types),
            client.url(),
            self.forward,
            self.format.name(),
        ));
    }

    /// Sends each event in order. On `r`, sends the last event again.
    async fn forward_all(
        &self,
        global: &GlobalArgs,
        forwarder: &mut Forwarder,
        follower: &mut Follower<'_>,
        keys: &mut UserCommands,
    ) -> Result<(), Failure> {
        let style = AnswerStyle {
            is_json: global.json,
            prints_event: self.print,
        };
        loop {
            let answer = tokio::select! {
                // `r` refers to the event that the user saw last, not to the next one.
                biased;
                () = keys.again() => forwarder.send_again().await,
                message = follower.next() => {
                    let message = message?;
                    let stored: StreamedJson<'_> = client::read(message.data.as_bytes())?;
                    let event = stored.event.get().as_bytes();
                    forwarder.send(stored.offset, &stored.event_type, event).await
                }
            };
            match answer {
                Ok(answer) => answer.print(style)?,
                Err(Unsent::UnmappedAgain) => (),
                Err(unsent) => output::notice(unsent),
            }
        }
    }
}

impl ListenFormat {
    const fn dialect(self) -> Option<Dialect> {
        match self {
            Self::Canvas => None,
            Self::Caliper => Some(Dialect::Compatible),
            Self::CaliperStrict => Some(Dialect::Strict),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Canvas => "canvas",
            Self::Caliper => "caliper",
            Self::CaliperStrict => "caliper-strict",
        }
    }
}

/// Returns the parser of `--masking`: true for `on`.
fn masking() -> impl TypedValueParser<Value = bool> {
    PossibleValuesParser::new(["on", "off"]).map(|text| text == "on")
}

fn endpoint(text: &str) -> Result<Endpoint, String> {
    let advice = "use an address such as http://localhost:3000";
    Endpoint::parse(text).map_err(|error| format!("failed to {error}; {advice}"))
}
