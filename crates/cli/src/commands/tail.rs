//! `easel tail`

use std::collections::VecDeque;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::args::GlobalArgs;
use crate::client::{self, Client, escape};
use crate::exit_code::{Code, Failure};
use crate::output;

const EXAMPLES: &str = "\
One event a line, as it is stored; with --json the event's offset, id and time of arrival too.

Examples:
  easel tail                                    the ten newest events
  easel tail -n 100 --event 'grade_*'           the hundred newest about grades
  easel tail --follow | jq .metadata.event_name
  easel tail --from earliest > everything.ndjson";

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
    /// Start at an offset, at the `earliest` event kept, or at the `latest`, yet to come
    #[arg(long, value_name = "OFFSET", conflicts_with = "newest")]
    from: Option<From>,
    /// Start with this many of the newest events
    #[arg(short = 'n', value_name = "N", default_value_t = 10)]
    newest: usize,
}

/// Where to start.
#[derive(Clone, Copy, Debug)]
enum From {
    Earliest,
    Latest,
    Offset(u64),
}

impl FromStr for From {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            _ => match text.parse() {
                Ok(offset) => Ok(Self::Offset(offset)),
                Err(_not_a_number) => Err("an offset, `earliest` or `latest` is needed"),
            },
        }
    }
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
        let bounds: BoundsJson = client::read(&client.get("/v1/balance").await?)?;
        let start = match self.from {
            Some(From::Earliest) => bounds.tail,
            Some(From::Latest) => bounds.head,
            Some(From::Offset(offset)) => offset,
            None => self.start_of_newest(&client, &bounds).await?,
        };
        if self.follow {
            return self.follow(global, start).await;
        }
        self.pages(&client, start..bounds.head, |stored| {
            print(stored, global.json)
        })
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
    async fn follow(&self, global: &GlobalArgs, start: u64) -> Result<(), Failure> {
        let mut last_id = None;
        let mut pause = Duration::ZERO;
        loop {
            // A server that was started again has another address and another token.
            let ended = match self
                .follow_once(global, start, &mut last_id, &mut pause)
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
        start: u64,
        last_id: &mut Option<String>,
        pause: &mut Duration,
    ) -> Result<std::convert::Infallible, Failure> {
        let client = Client::connect(global)?;
        let path = self.path("/v1/events/stream", start);
        let mut stream = client.stream(&path, last_id.as_deref()).await?;
        *pause = Duration::from_secs(1);
        loop {
            let message = stream.next().await?;
            print(client::read(message.data.as_bytes())?, global.json)?;
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

fn print(stored: &RawValue, json: bool) -> Result<(), Failure> {
    if json {
        return output::line(stored);
    }
    output::line(client::read::<StoredJson<'_>>(stored.get().as_bytes())?.event)
}
