//! Producers that send to the current server through both doors and record the answers.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use easel_testkit::event;
use fastrand::Rng;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::caller::Caller;

/// The number of parallel producers. Each has its own event numbers.
const PRODUCERS: u64 = 4;

/// The event types. The number of an event decides its type. The numbers of types and of producers have no
/// common divisor, so each producer sends all types. The events have no unknown field, so there is no operator event about drift.
const EVENT_TYPES: [&str; 3] = ["grade_change", "course_created", "course_updated"];

/// The maximum number of new events in a small and in a large request. Most requests are small, so that there
/// are many requests to interrupt.
const MAX_SMALL: u64 = 4;
const MAX_LARGE: u64 = 100;

/// The load on the current server.
#[derive(Debug)]
pub(crate) struct Load {
    server: watch::Sender<Option<Caller>>,
    stop: CancellationToken,
    producers: JoinSet<Sent>,
}

/// The sent events and the answers, by the number of the event.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// The acknowledged offset of each event; `None` without an acknowledgement.
    pub(crate) events: HashMap<u64, Option<u64>>,
    /// The number of events that were acknowledged again.
    pub(crate) again_count: u64,
}

impl Load {
    /// Starts producers. They wait for a server.
    pub(crate) fn start(random: &mut Rng) -> Self {
        Self::start_slow(random, Duration::ZERO)
    }

    /// Starts producers with a pause between two requests.
    pub(crate) fn start_slow(random: &mut Rng, pause: Duration) -> Self {
        let (server, stop) = (watch::Sender::new(None), CancellationToken::new());
        let mut producers = JoinSet::new();
        for first in 0..PRODUCERS {
            let producer = Producer {
                next: first,
                first,
                pause,
                unanswered: Vec::new(),
                sent: Sent::default(),
                random: random.fork(),
            };
            let (server, stop) = (server.subscribe(), stop.clone());
            producers.spawn(producer.run(server, stop));
        }
        Self {
            server,
            stop,
            producers,
        }
    }

    /// Sends to this server from now on.
    pub(crate) fn connect(&self, server: Caller) {
        self.server.send_replace(Some(server));
    }

    /// Sends no requests until there is another server.
    pub(crate) fn disconnect(&self) {
        self.server.send_replace(None);
    }

    /// Waits for running requests and returns everything sent.
    pub(crate) async fn stop(&mut self) -> Sent {
        self.stop.cancel();
        let mut all = Sent::default();
        for sent in std::mem::take(&mut self.producers).join_all().await {
            all.events.extend(sent.events);
            all.again_count += sent.again_count;
        }
        all
    }
}

/// Returns the event with this number.
pub(crate) fn numbered(number: u64) -> Bytes {
    let index = usize::try_from(number).unwrap() % EVENT_TYPES.len();
    event(EVENT_TYPES[index], number)
}

/// One producer.
struct Producer {
    /// The first event number. The numbers of a producer are [`PRODUCERS`] apart.
    first: u64,
    /// The next new event number.
    next: u64,
    pause: Duration,
    /// The events of the last request, if it got no answer.
    unanswered: Vec<u64>,
    sent: Sent,
    random: Rng,
}

impl Producer {
    async fn run(
        mut self,
        mut server: watch::Receiver<Option<Caller>>,
        stop: CancellationToken,
    ) -> Sent {
        while let Some(server) = current(&mut server, &stop).await {
            if !self.pause.is_zero() {
                sleep(self.pause).await;
            }
            let numbers = self.choose_numbers();
            for number in &numbers {
                self.sent.events.entry(*number).or_default();
            }
            let events = numbers.iter().copied().map(numbered).collect();
            match self.send(&server, events).await {
                Ok(offsets) => self.record_offsets(numbers, offsets),
                // The server was killed, so the result is unknown.
                Err(_in_transit) => self.unanswered = numbers,
            }
        }
        self.sent
    }

    /// Chooses the numbers of the next events. After a request without an answer, these are the same events in
    /// half of the cases. Otherwise they are new events, and sometimes an old event too.
    fn choose_numbers(&mut self) -> Vec<u64> {
        let unanswered = std::mem::take(&mut self.unanswered);
        if !unanswered.is_empty() && self.random.bool() {
            return unanswered;
        }
        let is_large = self.random.u8(..16) == 0;
        let max = if is_large { MAX_LARGE } else { MAX_SMALL };
        let count = self.random.u64(1..=max);
        let mut numbers: Vec<_> = (0..count).map(|i| self.next + i * PRODUCERS).collect();
        self.next += count * PRODUCERS;
        if self.random.u8(..8) == 0 {
            let before = (self.next - self.first) / PRODUCERS;
            numbers.push(self.first + self.random.u64(..before) * PRODUCERS);
        }
        numbers
    }

    /// Sends events through a random door and returns their acknowledged offsets.
    async fn send(&mut self, server: &Caller, events: Vec<Bytes>) -> Result<Vec<u64>> {
        let sent = match (self.random.u8(..4), &*events) {
            (0 | 1, _) => return Ok(server.put_records(&events).await?.stored()),
            (2, [event]) => {
                server
                    .post_events("application/json", event.clone())
                    .await?
            }
            (2, _) => {
                let array = [b"[", &*events.join(&b","[..]), b"]"].concat();
                server.post_events("application/json", array).await?
            }
            (_, _) => {
                let lines = events.join(&b"\n"[..]);
                server.post_events("application/x-ndjson", lines).await?
            }
        };
        Ok(sent.accepted())
    }

    fn record_offsets(&mut self, numbers: Vec<u64>, offsets: Vec<u64>) {
        assert_eq!(numbers.len(), offsets.len());
        for (number, offset) in numbers.into_iter().zip(offsets) {
            if let Some(known_offset) = self.sent.events.insert(number, Some(offset)).flatten() {
                assert_eq!(
                    known_offset, offset,
                    "event {number} was acknowledged at two offsets"
                );
                self.sent.again_count += 1;
            }
        }
    }
}

/// Waits for a server and returns it. Returns `None` at the end of the load.
async fn current(
    server: &mut watch::Receiver<Option<Caller>>,
    stop: &CancellationToken,
) -> Option<Caller> {
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        found = server.wait_for(Option::is_some) => found.unwrap().clone(),
    }
}
