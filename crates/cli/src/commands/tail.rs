//! `easel tail`

mod line;

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::beginning::{BoundsJson, StartPosition};
use crate::args::GlobalArgs;
use crate::catalog;
use crate::client::{self, Client, Follower, range_path};
use crate::exit_code::Failure;
use crate::output;

const EXAMPLES: &str = "\
On a terminal, each event is a line with its time, type, who did it, in which context, and its id.
Otherwise it is a line of JSON as it is stored; with --json, with its offset, id and time of arrival.

Examples:
  easel tail                                    the ten newest events
  easel tail -n 100 --event 'grade_*'           the hundred newest about grades
  easel tail --follow | jq .metadata.event_name
  easel tail --from 1h                          what came in the last hour
  easel tail --from 2026-11-22T08:00:00Z        what came since then
  easel tail --from earliest > everything.ndjson
  easel tail --follow --event 'easel.*'         what Easel itself tells operators";

/// Print events
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TailArgs {
    /// Go on with events as they come in
    #[arg(long, short)]
    follow: bool,
    /// Only events whose type is like this; * stands for any characters
    #[arg(long, value_name = "GLOB")]
    event: Option<String>,
    /// Start at an offset, a time, an age such as `1h`, at the `earliest` event kept, or at the
    /// `latest`, yet to come
    #[arg(long, value_name = "WHERE", conflicts_with = "newest")]
    from: Option<StartPosition>,
    /// Start with this many of the newest events
    #[arg(short = 'n', value_name = "N", default_value_t = 10)]
    newest: usize,
}

/// How an event is printed.
#[derive(Clone, Copy, Debug)]
enum EventStyle {
    /// A line for people.
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
        let client = Client::connect(global)?;
        catalog::warn_of_unmatched(global, &client, &self.event).await;
        let style = match (global.json, output::is_read_by_people()) {
            (true, _) => EventStyle::Stored,
            (false, true) => EventStyle::Line,
            (false, false) => EventStyle::Event,
        };
        let bounds = BoundsJson::read(&client).await?;
        let start = match self.from {
            Some(beginning) => beginning.offset(&client, &bounds).await?,
            None => self.start_of_newest(&client, &bounds).await?,
        };
        if self.follow {
            return self.follow(global, start, style).await;
        }
        self.pages(&client, start..bounds.head, |stored| print(stored, style))
            .await
    }

    /// Where the newest events asked for begin, looking back over more and more of the log.
    async fn start_of_newest(&self, client: &Client, bounds: &BoundsJson) -> Result<u64, Failure> {
        let mut window = u64::try_from(self.newest).unwrap_or(u64::MAX);
        loop {
            let from = std::cmp::max(bounds.tail, bounds.head.saturating_sub(window));
            let mut newest = VecDeque::new();
            self.pages(client, from..bounds.head, |stored| {
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

    /// Hands over the events asked for among `offsets`.
    async fn pages(
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

    /// Prints events as they come in, for as long as there is someone to read them.
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
        EventStyle::Line => output::line(line::of(client::read(stored.get().as_bytes())?)),
        EventStyle::Event => output::line(event()?.event),
        EventStyle::Stored => output::line(stored),
    }
}
