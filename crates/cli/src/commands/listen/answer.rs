//! The consumer's answer, printed as one line of text or JSON.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use easel_sinks::{Item, SendError, Trial};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::value::RawValue;

use super::WEBHOOK_SETTINGS;
use crate::exit_code::{Code, Failure, OrExit};
use crate::output;

/// The maximum number of characters shown of the body of a rejection.
const MAX_SHOWN_CHARS: usize = 200;

/// The result of one attempt.
#[derive(Debug)]
pub(super) struct AttemptResult {
    pub(super) item: Arc<Item>,
    pub(super) attempt: NonZeroU32,
    pub(super) attempted_at: Timestamp,
    pub(super) trial: Trial,
    pub(super) latency: Duration,
}

/// The output format of answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct AnswerStyle {
    /// Print one JSON object on each line.
    pub(super) is_json: bool,
    /// Also print the event.
    pub(super) prints_event: bool,
}

#[derive(Serialize)]
struct AttemptResultJson<'a> {
    attempted_at: Timestamp,
    event_type: &'a str,
    offset: u64,
    id: String,
    attempt: u32,
    /// Whether a subscription would count the event as delivered.
    delivered: bool,
    status: Option<u16>,
    /// Why the event was not delivered.
    error: Option<String>,
    duration_ms: u128,
    /// The first 1,024 bytes of the consumer's answer.
    body: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a RawValue>,
}

impl AttemptResult {
    /// Prints the result, and the event if `style` requests it.
    pub(super) fn print(&self, style: AnswerStyle) -> Result<(), Failure> {
        if style.is_json {
            let event = self.event().filter(|_| style.prints_event);
            let json = serde_json::to_string(&self.json(event)).or_exit(Code::Bug)?;
            return output::line(json);
        }
        output::line(self.line())?;
        match self.event().filter(|_| style.prints_event) {
            Some(event) if output::stdout_is_terminal() => {
                output::line(output::printable(event.get()))
            }
            Some(event) => output::line(event),
            None => Ok(()),
        }
    }

    /// Returns the event in the format in which it was sent.
    fn event(&self) -> Option<&RawValue> {
        serde_json::from_slice(self.item.form.bytes()).ok()
    }

    fn json<'a>(&'a self, event: Option<&'a RawValue>) -> AttemptResultJson<'a> {
        AttemptResultJson {
            attempted_at: self.attempted_at,
            event_type: &self.item.event_type,
            offset: self.item.offset.get(),
            id: self.item.id.to_string(),
            attempt: self.attempt.get(),
            delivered: self.trial.result.is_ok(),
            status: self.trial.status,
            error: self.trial.result.as_ref().err().map(SendError::to_string),
            duration_ms: self.latency.as_millis(),
            body: String::from_utf8_lossy(&self.trial.body).into_owned(),
            event,
        }
    }

    fn line(&self) -> String {
        let time = self.attempted_at.to_zoned(TimeZone::UTC);
        let time = time.strftime("%H:%M:%S");
        let event_type = output::printable(&self.item.event_type);
        let offset = format!("#{}", self.item.offset);
        let attempt = match self.attempt {
            NonZeroU32::MIN => String::new(),
            attempt => format!(" (attempt {attempt})"),
        };
        let ending = self.ending();
        format!("{time}  {event_type:<24}  {offset:<8}  -> {ending}{attempt}")
    }

    fn ending(&self) -> String {
        let ms = self.latency.as_millis();
        match (self.trial.status, &self.trial.result) {
            (Some(status), Ok(())) => format!("{status} in {ms} ms"),
            (Some(status), Err(_refused)) => {
                let body = String::from_utf8_lossy(&self.trial.body);
                let start: String = body.trim().chars().take(MAX_SHOWN_CHARS).collect();
                match start.lines().next() {
                    Some(line) => format!("{status} in {ms} ms: {}", output::printable(line)),
                    None => format!("{status} in {ms} ms"),
                }
            }
            (None, Err(SendError::TimedOut)) => {
                format!("no answer within {} s", WEBHOOK_SETTINGS.timeout.as_secs())
            }
            (None, Err(error)) => {
                format!("no answer after {ms} ms: {}", cause(error))
            }
            (None, Ok(())) => format!("no answer after {ms} ms"),
        }
    }
}

/// Returns why there is no answer, without the prefix of the HTTP client.
fn cause(error: &SendError) -> String {
    let text = error.to_string();
    let reason = text.strip_prefix("send: ").unwrap_or(&text);
    let cause = match reason.split_once("): ") {
        Some((before, cause)) if before.starts_with("client error (") => cause,
        Some(_) | None => reason,
    };
    output::printable(cause)
}

#[cfg(test)]
mod tests {
    use easel_log::Offset;
    use easel_sinks::Form;

    use super::*;

    fn answer(status: Option<u16>, outcome: Result<(), SendError>, body: &str) -> AttemptResult {
        AttemptResult {
            item: Arc::new(Item {
                offset: Offset::new(1042),
                id: "0b7f3c4e-9d1a-4c55-8e21-6f0a9b3d2c11".parse().unwrap(),
                event_type: "grade_change".into(),
                occurred_at: Timestamp::UNIX_EPOCH,
                appended_at: None,
                event_time: "1970-01-01T00:00:00Z".to_owned(),
                form: Form::Canvas("{\"body\":{}}".into()),
                jwt: None,
            }),
            attempt: NonZeroU32::MIN,
            attempted_at: "2026-11-22T12:00:03.9Z".parse().unwrap(),
            trial: Trial {
                result: outcome,
                status,
                body: body.to_owned().into(),
            },
            latency: Duration::from_millis(12),
        }
    }

    #[track_caller]
    fn check(answer: &AttemptResult, wanted: &str) {
        let line = answer.line();
        let (head, ending) = line.split_once("  -> ").unwrap();
        let words: Vec<_> = head.split_whitespace().collect();
        assert_eq!(words, ["12:00:03", "grade_change", "#1042"]);
        assert_eq!(ending, wanted);
    }

    #[test]
    fn a_line_shows_the_answer_or_why_there_is_none() {
        let refused = || SendError::Rejected {
            reason: "the endpoint answered 422".to_owned(),
        };
        let unreachable = SendError::Unreachable {
            reason: "client error (Connect): tcp connect error: Connection refused (os error 111)"
                .to_owned(),
        };
        check(&answer(Some(204), Ok(()), ""), "204 in 12 ms");
        check(&answer(Some(200), Ok(()), "thanks"), "200 in 12 ms");
        check(&answer(Some(422), Err(refused()), " \n"), "422 in 12 ms");
        check(
            &answer(Some(422), Err(refused()), "no\u{1b}[2J score\nat line 1"),
            "422 in 12 ms: no\\u{1b}[2J score",
        );
        check(
            &answer(None, Err(SendError::TimedOut), ""),
            "no answer within 15 s",
        );
        check(
            &answer(None, Err(unreachable), ""),
            "no answer after 12 ms: tcp connect error: Connection refused (os error 111)",
        );
    }

    #[test]
    fn a_line_shows_the_attempt_number_from_the_second_attempt() {
        let mut answer = answer(Some(200), Ok(()), "");
        answer.attempt = NonZeroU32::new(2).unwrap();
        check(&answer, "200 in 12 ms (attempt 2)");
    }
}
