//! `easel listen`
//!
//! A temporary subscription for whoever builds a consumer: events come over the server's event stream
//! and go from this machine to the consumer, as the requests that a webhook subscription sends. Nothing
//! is configured on the server, and the server keeps nothing of it.
//!
//! Not here: automatic retries. A failed attempt is printed, and the next event follows.

mod answer;
mod forwarder;
mod keys;

use std::sync::Arc;

use easel_caliper::{Dialect, Translator};
use easel_catalog::Catalog;
use easel_server::load_catalog;
use easel_sinks::Endpoint;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::beginning::{BoundsJson, StartPosition};
use crate::args::GlobalArgs;
use crate::catalog;
use crate::client::{self, Client, Follower};
use crate::exit_code::{Code, Failure, OrExit};
use crate::output;
use crate::settings::Settings;
use crate::signals::Signals;
use answer::AnswerStyle;
use forwarder::{Forwarder, Unsent};
use keys::UserCommands;

const EXAMPLES: &str = "\
Each event is one POST with the headers and the body of a webhook delivery; the header
easel-subscription is `listen`. Each answer is one line: time (UTC), event type, offset, status and
latency. An attempt that fails is not repeated by itself, and the next event follows.

UserCommands, each followed by Enter: r sends the last event again (easel-attempt counts up), q leaves. From
a pipe, the same lines do the same; the end of the input does not end the command.

Caliper formats and https follow the settings here (caliper, catalog.folder, webhook.ca_file).

Examples:
  easel listen --forward http://localhost:3000
  easel listen --forward http://localhost:3000/hook --event 'grade_*' --print
  easel listen --forward http://localhost:3000 --format caliper-strict --from earliest";

/// Forward events to a consumer on your machine, as a webhook delivers them
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ListenArgs {
    /// URL to send each event to
    #[arg(long, value_name = "URL", value_parser = endpoint)]
    forward: Endpoint,
    /// Only events whose type is like this; * stands for any characters
    #[arg(long, value_name = "GLOB")]
    event: Option<String>,
    /// Form to send them in
    #[arg(long, value_enum, default_value_t = ListenFormat::Canvas)]
    format: ListenFormat,
    /// Start at an offset, a time, an age such as `1h`, at the `earliest` event kept, or at the
    /// `latest`, yet to come
    #[arg(long, value_name = "WHERE", default_value = "latest")]
    from: StartPosition,
    /// Print each event too, in the form in which it is sent
    #[arg(long)]
    print: bool,
}

/// What events are sent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ListenFormat {
    /// The event's own JSON
    Canvas,
    /// An envelope with the event as Canvas publishes it in Caliper
    Caliper,
    /// An envelope with the event as the Caliper standard wants it
    CaliperStrict,
}

/// An event as the stream has it.
#[derive(Deserialize)]
struct StoredJson<'a> {
    offset: u64,
    #[serde(borrow)]
    event: &'a RawValue,
}

impl ListenArgs {
    pub(super) async fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let mut signals = Signals::listen().or_exit(Code::Unavailable)?;
        tokio::select! {
            () = signals.stop() => Ok(()),
            ended = self.listen(global) => ended,
        }
    }

    async fn listen(&self, global: &GlobalArgs) -> Result<(), Failure> {
        let mut forwarder = self.forwarder(global)?;
        let client = Client::connect(global)?;
        catalog::warn_of_unmatched(global, &client, &self.event).await;
        let bounds = BoundsJson::read(&client).await?;
        let from = self.from.offset(&client, &bounds).await?;
        let mut follower = Follower::connect(global, from, self.event.as_deref()).await?;
        self.explain(&client, from);
        // Only from here on, so that `q` does not hide that there is no server.
        let mut keys = UserCommands::read().or_exit(Code::Unavailable)?;
        let leave = keys.leave();
        tokio::select! {
            () = leave.cancelled() => Ok(()),
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
        let forwarder = Forwarder::new(self.forward.clone(), &config.webhook, translation);
        forwarder.or_exit(Code::Configuration)
    }

    /// Warns of an `--event` that names only event types without a Caliper form.
    fn warn_of_unmapped(&self, catalog: &Catalog, translator: &Translator) {
        let Some(glob) = &self.event else {
            return;
        };
        let mut names = catalog.matching(glob).map(|it| it.name).peekable();
        if names.peek().is_some() && !names.any(|name| translator.translates(name)) {
            let glob = output::plain(glob);
            output::talk(format_args!(
                "warning: --event {glob} matches no event type that has a Caliper form"
            ));
        }
    }

    fn explain(&self, client: &Client, from: u64) {
        let what = self.event.as_deref().unwrap_or("all");
        output::talk(format_args!(
            "forwarding {} events from {} to {}, format {}, beginning at offset {from}",
            output::plain(what),
            client.url(),
            self.forward,
            self.format.name(),
        ));
    }

    /// Sends one event after another, and the last one again when asked to.
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
                // What the user has just seen is the event to send again, not the one after it.
                biased;
                () = keys.again() => forwarder.send_again().await,
                message = follower.next() => {
                    let message = message?;
                    let stored: StoredJson<'_> = client::read(message.data.as_bytes())?;
                    let event = stored.event.get().as_bytes();
                    forwarder.send(stored.offset, event).await
                }
            };
            match answer {
                Ok(answer) => answer.print(style)?,
                Err(Unsent::Known) => (),
                Err(unsent) => output::talk(unsent),
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

fn endpoint(text: &str) -> Result<Endpoint, String> {
    let advice = "an address such as http://localhost:3000 is needed";
    Endpoint::parse(text).map_err(|error| format!("failed to {error}; {advice}"))
}
