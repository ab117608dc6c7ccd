//! `easel tail`

mod line;

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::start_position::{BoundsJson, StartPosition};
use crate::catalog;
use crate::client::{self, Client, Follower, range_path};
use crate::exit_code::Failure;
use crate::global_args::GlobalArgs;
use crate::output;

const AFTER_HELP: &str = "\
On a terminal, each event is one line: time, type, user, context and id.
Elsewhere, each event is one line of JSON, as the log stores it. --json also
prints the offset, the id and the time of arrival.

Examples:
  easel tail                               the ten newest events
  easel tail -n 100 --event 'grade_*'      the hundred newest grade events
  easel tail --follow | jq .metadata.event_name
  easel tail --from 1h                     events of the last hour
  easel tail --from 2026-11-22T08:00:00Z   events since this time
  easel tail --from earliest > all.ndjson
  easel tail --follow --event 'easel.*'    Easel's own events for operators";

/// Print events
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct TailArgs {
    /// Continue with new events as they arrive
    #[arg(long, short)]
    follow: bool,
    /// Only event types that match; * matches any characters
    #[arg(long, value_name = "GLOB")]
    event: Option<String>,
    /// Start position: an offset, a time, an age such as `1h`, `earliest` for the oldest stored event,
    /// or `latest` for the next new event
    #[arg(long, value_name = "WHERE", conflicts_with = "newest")]
    from: Option<StartPosition>,
    /// Start with this many of the newest events
    #[arg(short = 'n', value_name = "N", default_value_t = 10)]
    newest: usize,
}

/// The output format of an event.
#[derive(Clone, Copy, Debug)]
enum EventStyle {
    /// One line of text.
    Line,
    /// The event as it is stored.
    Event,
    /// The event with its offset, id and time of arrival.
    Stored,
}

#[derive(Deserialize)]
struct EventPageJson<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
    next: u64,
}

#[derive(Deserialize)]
struct StoredJson<'a> {
    offset: u64,
    #[serde(borrow)]
    event: &'a RawValue,
}

impl TailArgs {
    pub(super) async fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let client = Client::from_args(global)?;
        catalog::warn_of_unmatched(global, &client, &self.event).await;
        let style = match (global.json, output::stdout_is_terminal()) {
            (true, _) => EventStyle::Stored,
            (false, true) => EventStyle::Line,
            (false, false) => EventStyle::Event,
        };
        let bounds = BoundsJson::read(&client).await?;
        let start = match self.from {
            Some(position) => position.offset(&client, &bounds).await?,
            None => self.start_of_newest(&client, &bounds).await?,
        };
        if self.follow {
            return self.follow(global, start, style).await;
        }
        self.each_event(&client, start..bounds.head, |stored| print(stored, style))
            .await
    }

    /// Returns the offset of the first of the newest events. Searches a growing part of the log.
    async fn start_of_newest(&self, client: &Client, bounds: &BoundsJson) -> Result<u64, Failure> {
        let mut window = u64::try_from(self.newest).unwrap_or(u64::MAX);
        loop {
            let from = std::cmp::max(bounds.tail, bounds.head.saturating_sub(window));
            let mut newest = VecDeque::new();
            self.each_event(client, from..bounds.head, |stored| {
                newest.push_back(client::read::<StoredJson<'_>>(stored.get().as_bytes())?.offset);
                if newest.len() > self.newest {
                    newest.pop_front();
                }
                Ok(())
            })
            .await?;
            if newest.len() == self.newest || from == bounds.tail {
                return Ok(newest.front().copied().unwrap_or(bounds.head));
            }
            window = window.saturating_mul(4);
        }
    }

    /// Passes each matching event of `offsets` to `take`.
    async fn each_event(
        &self,
        client: &Client,
        offsets: std::ops::Range<u64>,
        mut take: impl FnMut(&RawValue) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut from = offsets.start;
        while from < offsets.end {
            let answer = client
                .get(&range_path("/v1/events", from, self.event.as_deref()))
                .await?;
            let page: EventPageJson<'_> = client::read(&answer)?;
            page.events.into_iter().try_for_each(&mut take)?;
            if page.next <= from {
                break;
            }
            from = page.next;
        }
        Ok(())
    }

    /// Prints new events until stdout is closed.
    async fn follow(
        &self,
        global: &GlobalArgs,
        start: u64,
        style: EventStyle,
    ) -> Result<(), Failure> {
        let mut follower = Follower::connect(global, start, self.event.as_deref()).await?;
        loop {
            let message = follower.next().await?;
            print(client::read(message.data.as_bytes())?, style)?;
        }
    }
}

fn print(stored: &RawValue, style: EventStyle) -> Result<(), Failure> {
    let event = || client::read::<StoredJson<'_>>(stored.get().as_bytes());
    match style {
        EventStyle::Line => output::line(line::render(&client::read(stored.get().as_bytes())?)),
        EventStyle::Event => output::line(event()?.event),
        EventStyle::Stored => output::line(stored),
    }
}
