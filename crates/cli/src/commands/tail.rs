//! `easel tail`

mod beginning;
mod line;

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::args::GlobalArgs;
use crate::catalog;
use crate::client::{self, Client, escape};
use crate::exit_code::{Code, Failure};
use crate::output;
use beginning::Beginning;

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

/// How long to wait before the server is tried again, at most.
const MAX_PAUSE: Duration = Duration::from_secs(10);

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
    from: Option<Beginning>,
    /// Start with this many of the newest events
    #[arg(short = 'n', value_name = "N", default_value_t = 10)]
    newest: usize,
}

/// How an event is printed.
#[derive(Clone, Copy, Debug)]
enum Style {
    /// A line for people.
    Line,
    /// The event as it is stored.
    Event,
    /// The event with its offset, id and time of arrival.
    Stored,
}

/// What the log holds: `[tail, head)`.
#[derive(Deserialize)]
struct BoundsJson {
    head: u64,
    tail: u64,
}

#[derive(Deserialize)]
struct PageJson<'a> {
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
            (true, _) => Style::Stored,
            (false, true) => Style::Line,
            (false, false) => Style::Event,
        };
        let bounds: BoundsJson = client::read(&client.get("/v1/balance").await?)?;
        let start = match self.from {
            Some(Beginning::Earliest) => bounds.tail,
            Some(Beginning::Latest) => bounds.head,
            Some(Beginning::Offset(offset)) => offset,
            Some(Beginning::Time(time)) => first_since(&client, time).await?,
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
            let answer = client.get(&self.path("/v1/events", from)).await?;
            let page: PageJson<'_> = client::read(&answer)?;
            page.events.into_iter().try_for_each(&mut take)?;
            if page.next <= from {
                break;
            }
            from = page.next;
        }
        Ok(())
    }

    /// Prints events as they come in, for as long as there is someone to read them.
    async fn follow(&self, global: &GlobalArgs, start: u64, style: Style) -> Result<(), Failure> {
        let mut last_id = None;
        let mut pause = Duration::ZERO;
        loop {
            // A server that was started again has another address and another token.
            let ended = match self
                .follow_once(global, (start, style), &mut last_id, &mut pause)
                .await
            {
                Err(Failure::Told {
                    code: Code::Unavailable,
                    error,
                }) if !pause.is_zero() => error,
                Err(failure) => return Err(failure),
                Ok(never) => match never {},
            };
            output::talk(format_args!("{ended:#}; trying again"));
            tokio::time::sleep(pause).await;
            pause = std::cmp::min(pause * 2, MAX_PAUSE);
        }
    }

    async fn follow_once(
        &self,
        global: &GlobalArgs,
        (start, style): (u64, Style),
        last_id: &mut Option<String>,
        pause: &mut Duration,
    ) -> Result<std::convert::Infallible, Failure> {
        let client = Client::connect(global)?;
        let path = self.path("/v1/events/stream", start);
        let mut stream = client.stream(&path, last_id.as_deref()).await?;
        *pause = Duration::from_secs(1);
        loop {
            let message = stream.next().await?;
            print(client::read(message.data.as_bytes())?, style)?;
            *last_id = message.id.or(last_id.take());
        }
    }

    fn path(&self, path: &str, from: u64) -> String {
        match &self.event {
            Some(glob) => format!("{path}?from={from}&event={}", escape(glob)),
            None => format!("{path}?from={from}"),
        }
    }
}

/// The offset of the first event that came at `time` or later.
async fn first_since(client: &Client, time: Timestamp) -> Result<u64, Failure> {
    let time = escape(&time.to_string());
    let answer = client
        .get(&format!("/v1/events?time={time}&limit=1"))
        .await?;
    let page: PageJson<'_> = client::read(&answer)?;
    match page.events.first() {
        Some(first) => Ok(client::read::<StoredJson<'_>>(first.get().as_bytes())?.offset),
        None => Ok(page.next),
    }
}

fn print(stored: &RawValue, style: Style) -> Result<(), Failure> {
    let event = || client::read::<StoredJson<'_>>(stored.get().as_bytes());
    match style {
        Style::Line => output::line(line::of(client::read(stored.get().as_bytes())?)),
        Style::Event => output::line(event()?.event),
        Style::Stored => output::line(stored),
    }
}
