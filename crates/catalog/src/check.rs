//! Validates an event against the catalogue.
//!
//! The check reads an event once, without a tree, and reports each finding as soon as it finds it. An
//! event without findings costs about as much as a scan for the ends of its values. An unknown object
//! gives one finding, and the check skips its content.

use crate::catalog::Catalog;
use crate::event_type::EventOrigin;
use crate::field::{Field, IdKind, IdScope, Kind, Precision, Spelling, Values};
use crate::finding::{Finding, PathSegment, Rule, ValueClass, ValuePath, is_integer};
use crate::flaw::Flaw;
use crate::raw_text::RawText;
use crate::scanner::{Container, Scanner};
use crate::timestamp::parse_day;
use crate::{GlobalId, is_operator_event, parse_timestamp};

/// The largest number of findings that are reported for one event.
const MAX_FINDINGS: usize = 1000;

impl Catalog {
    /// Validates an event of type `event_type` and reports every finding.
    ///
    /// The event must be admitted; it may have its stored form or its original form. At most 1,000
    /// findings are reported. An event of Easel itself has no findings.
    pub fn check(&self, event_type: &str, event: &[u8], mut report: impl FnMut(&Finding<'_>)) {
        if is_operator_event(event_type) {
            return;
        }
        let mut check = EventCheck {
            catalog: self,
            event_type,
            report: &mut report,
            finding_count: 0,
        };
        // An admitted event is valid JSON. For other input, the check stops at the error.
        drop(check.event(&mut Scanner::new(event, usize::MAX)));
    }
}

struct EventCheck<'c> {
    catalog: &'c Catalog,
    event_type: &'c str,
    report: &'c mut dyn FnMut(&Finding<'_>),
    finding_count: usize,
}

/// The fields that an object has, as a bit set: bit `n` belongs to field `n` of the list.
type Seen = u128;

impl<'c> EventCheck<'c> {
    fn event(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Flaw> {
        let event = ValuePath {
            parent: None,
            segment: PathSegment::Event,
        };
        let known_type = self.catalog.get(self.event_type);
        if known_type.is_none() {
            self.add(Rule::UnknownEventType, &event, None, Spelled::NOTHING);
        }
        scanner.begin()?;
        let mut has_entry = scanner.enter(Container::Object)?;
        while has_entry {
            let key = scanner.key()?.bytes();
            scanner.colon()?;
            let path = event.member(&key);
            match (key.as_ref(), known_type) {
                (b"metadata" | b"attributes", _) => self.metadata(scanner, &path)?,
                (b"body", Some(event_type)) if !event_type.columns_only => {
                    let seen = self.object(scanner, &event_type.body, event_type.open, &path)?;
                    self.missing(&event_type.body, seen, &path, scanner.at());
                }
                (b"body", _) => scanner.value()?,
                _ => self.unknown(scanner, &path)?,
            }
            has_entry = scanner.advance()?;
        }
        Ok(())
    }

    fn metadata(&mut self, scanner: &mut Scanner<'_>, path: &ValuePath<'_>) -> Result<(), Flaw> {
        let metadata = self.catalog.metadata_fields();
        let seen = self.object(scanner, metadata, false, path)?;
        let origin = if self.catalog.is_seen(seen, "request_id") {
            EventOrigin::Request
        } else if self.catalog.is_seen(seen, "job_id") {
            EventOrigin::Job
        } else {
            EventOrigin::Neither
        };
        let needed = self.catalog.metadata().iter();
        let needed = needed.map(|field| field.is_in_events_of(origin));
        // A field that this event does not need counts as seen.
        let unneeded = needed.enumerate().filter(|(_, is_needed)| !is_needed);
        let unneeded = unneeded.fold(0, |bits: Seen, (index, _)| bits | 1 << index);
        self.missing(metadata, seen | unneeded, path, scanner.at());
        Ok(())
    }

    /// Reads an object and returns which of `fields` it has. An `open` object may have other members
    /// too.
    fn object(
        &mut self,
        scanner: &mut Scanner<'_>,
        fields: &'c [Field],
        open: bool,
        path: &ValuePath<'_>,
    ) -> Result<Seen, Flaw> {
        let mut seen: Seen = 0;
        let mut next = 0;
        let mut has_entry = scanner.enter(Container::Object)?;
        while has_entry {
            let key = scanner.key()?.bytes();
            scanner.colon()?;
            match find_field(fields, &key, next) {
                Some((index, field)) => {
                    seen |= 1 << index;
                    next = index + 1;
                    self.value(scanner, field, &path.member(&key))?;
                }
                None if open => scanner.value()?,
                None => self.unknown(scanner, &path.member(&key))?,
            }
            has_entry = scanner.advance()?;
        }
        Ok(seen)
    }

    /// Reports the required `fields` that are missing in an object that ends at `at`.
    fn missing(&mut self, fields: &'c [Field], seen: Seen, path: &ValuePath<'_>, at: usize) {
        for (index, field) in fields.iter().enumerate() {
            if field.is_required() && seen & (1 << index) == 0 {
                let path = path.member(field.name.as_bytes());
                let spelled = Spelled { at, bytes: b"" };
                self.add(Rule::Missing, &path, Some(field), spelled);
            }
        }
    }

    fn unknown(&mut self, scanner: &mut Scanner<'_>, path: &ValuePath<'_>) -> Result<(), Flaw> {
        let start = scanner.at();
        scanner.value()?;
        self.add(
            Rule::UnknownField,
            path,
            None,
            Spelled::since(start, scanner),
        );
        Ok(())
    }

    fn value(
        &mut self,
        scanner: &mut Scanner<'_>,
        field: &'c Field,
        path: &ValuePath<'_>,
    ) -> Result<(), Flaw> {
        let start = scanner.at();
        let broken_rule = match (scanner.peek(), &field.kind) {
            (Some(b'{'), Kind::Object(fields)) if !fields.is_empty() => {
                let fields: &'c [Field] = fields;
                let seen = self.object(scanner, fields, false, path)?;
                self.missing(fields, seen, path, scanner.at());
                return Ok(());
            }
            (Some(b'['), Kind::Texts | Kind::Ids(_) | Kind::Objects(_)) => {
                return self.elements(scanner, field, path);
            }
            (Some(b'"'), _) => check_string(scanner.string()?, field),
            (first, kind) => {
                scanner.value()?;
                check_other(first, scanner.since(start), kind, field.can_be_null)
            }
        };
        if let Some(rule) = broken_rule {
            self.add(rule, path, Some(field), Spelled::since(start, scanner));
        }
        Ok(())
    }

    fn elements(
        &mut self,
        scanner: &mut Scanner<'_>,
        field: &'c Field,
        path: &ValuePath<'_>,
    ) -> Result<(), Flaw> {
        let mut index = 0;
        let mut has_entry = scanner.enter(Container::Array)?;
        while has_entry {
            let path = ValuePath {
                parent: Some(path),
                segment: PathSegment::Element(index),
            };
            let start = scanner.at();
            let broken_rule = match (scanner.peek(), &field.kind) {
                (Some(b'{'), Kind::Objects(fields)) if !fields.is_empty() => {
                    let fields: &'c [Field] = fields;
                    let seen = self.object(scanner, fields, false, &path)?;
                    self.missing(fields, seen, &path, scanner.at());
                    None
                }
                (Some(b'"'), Kind::Ids(id)) => check_id(scanner.string()?, *id),
                (Some(b'"'), Kind::Texts) => scanner.string().map(|_text| None)?,
                (Some(b'{'), Kind::Objects(_)) => scanner.value().map(|()| None)?,
                _ => {
                    scanner.value()?;
                    Some(Rule::WrongType)
                }
            };
            if let Some(rule) = broken_rule {
                self.add(rule, &path, Some(field), Spelled::since(start, scanner));
            }
            index += 1;
            has_entry = scanner.advance()?;
        }
        Ok(())
    }

    fn add(&mut self, rule: Rule, path: &ValuePath<'_>, field: Option<&Field>, value: Spelled<'_>) {
        self.finding_count += 1;
        if self.finding_count > MAX_FINDINGS {
            return;
        }
        (self.report)(&Finding {
            rule,
            found: ValueClass::from_json(value.bytes),
            value: value.bytes,
            at: value.at,
            field,
            path,
        });
    }
}

/// A value as the event spells it, with its position.
#[derive(Clone, Copy)]
struct Spelled<'a> {
    at: usize,
    bytes: &'a [u8],
}

impl<'a> Spelled<'a> {
    const NOTHING: Self = Self { at: 0, bytes: b"" };

    /// Returns the value that was read since `at`.
    fn since(at: usize, scanner: &Scanner<'a>) -> Self {
        let bytes = scanner.since(at);
        Self { at, bytes }
    }
}

/// Finds the field with this name and its index. Looks at the index `likely` first.
pub(crate) fn find_field<'f>(
    fields: &'f [Field],
    name: &[u8],
    likely: usize,
) -> Option<(usize, &'f Field)> {
    let has_name = |field: &&Field| field.name.as_bytes() == name;
    if let Some(field) = fields.get(likely).filter(has_name) {
        return Some((likely, field));
    }
    fields.iter().enumerate().find(|(_, field)| has_name(field))
}

/// Returns the rule that a string breaks, as the value of `field`.
fn check_string(text: RawText<'_>, field: &Field) -> Option<Rule> {
    match &field.kind {
        Kind::Text => check_text(text, field.values.as_ref(), field.max_chars),
        Kind::Id(id) => check_id(text, *id),
        Kind::Timestamp(precision) => {
            let is_timestamp = text.decode().is_some_and(|text| {
                parse_timestamp(&text).is_some()
                    || *precision == Precision::Day && parse_day(&text).is_some()
            });
            (!is_timestamp).then_some(Rule::NotATimestamp)
        }
        Kind::Integer
        | Kind::Number
        | Kind::Boolean
        | Kind::Object(_)
        | Kind::Texts
        | Kind::Ids(_)
        | Kind::Objects(_) => Some(Rule::WrongType),
    }
}

fn check_text(
    text: RawText<'_>,
    values: Option<&Values>,
    max_chars: Option<usize>,
) -> Option<Rule> {
    if let Some(values) = values
        && !text.decode().is_some_and(|text| values.contains(&text))
    {
        return Some(if values.open {
            Rule::NewValue
        } else {
            Rule::UnlistedValue
        });
    }
    // A character takes at least one byte.
    let max = max_chars.filter(|max| text.raw.len() > *max)?;
    let is_longer = text
        .decode()
        .is_some_and(|text| text.chars().nth(max).is_some());
    is_longer.then_some(Rule::TooLong)
}

fn check_id(text: RawText<'_>, id: IdKind) -> Option<Rule> {
    if text.raw.is_empty() && id.can_be_empty {
        return None;
    }
    let bytes = text.bytes();
    if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_digit) {
        return Some(Rule::NotAnId);
    }
    let has_shard = || {
        let digits = str::from_utf8(&bytes).ok();
        let id = digits.and_then(|digits| digits.parse::<GlobalId>().ok());
        id.is_none_or(|id| id.shard() > 0)
    };
    (id.scope == IdScope::Local && has_shard()).then_some(Rule::GlobalId)
}

/// Returns the rule that a value breaks. The value must not be a string. Its members are not checked.
fn check_other(first: Option<u8>, value: &[u8], kind: &Kind, can_be_null: bool) -> Option<Rule> {
    let fits = match (first, kind) {
        (Some(b'n'), _) if can_be_null => true,
        (Some(b'n'), _) => return Some(Rule::Null),
        (Some(b't' | b'f'), Kind::Boolean) | (Some(b'{'), Kind::Object(_)) => true,
        (Some(b'-' | b'0'..=b'9'), Kind::Number) => true,
        (Some(b'-' | b'0'..=b'9'), Kind::Integer) => is_integer(value),
        (Some(b'0'..=b'9'), Kind::Id(id)) => id.spelling == Spelling::Numeral && is_integer(value),
        _ => false,
    };
    (!fits).then_some(Rule::WrongType)
}

impl ValuePath<'_> {
    fn member<'a>(&'a self, name: &'a [u8]) -> ValuePath<'a> {
        ValuePath {
            parent: Some(self),
            segment: PathSegment::Member(name),
        }
    }
}

#[cfg(test)]
mod tests;
