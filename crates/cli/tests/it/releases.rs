//! Events of made-up releases of Canvas. Each release changes what the one before sent.
//!
//! A release has new event types and new fields, and it gives each field a new kind of value: an integer
//! becomes a string and later an integer again, a scalar becomes an object, and so on. Some events do not
//! follow their release. The same seed gives the same events. They are JSON texts, because a tree of values
//! cannot spell a repeated key, an unpaired surrogate or an extreme number.

use std::collections::HashMap;

use easel_catalog::Catalog;
use fastrand::Rng;
use serde_json::json;

/// Event types of the catalogue whose fields change.
const KNOWN_TYPES: [&str; 7] = [
    "asset_accessed",
    "assignment_override_created",
    "course_created",
    "final_grade_custom_status",
    "grade_change",
    "logged_out",
    "submission_updated",
];

/// Event types that no catalogue has, as JSON texts without quotes. Some differ only in case or by a dot, and
/// some have names that a database uses.
const UNKNOWN_TYPES: [&str; 16] = [
    "Mood_set",
    "mood_set",
    "mood.set",
    "mood__set",
    "mood set",
    "mood\\\"set'; drop schema live cascade; --",
    "select",
    "events",
    "grade_change_latest",
    "pg_class",
    "easel_migrations",
    "quizzes.item-created",
    "s\u{f8}knad_\u{f8}delagt",
    "no\\u0000thing",
    "very_long_very_long_very_long_very_long_very_long_very_long_very_long_very_long_1",
    "very_long_very_long_very_long_very_long_very_long_very_long_very_long_very_long_2",
];

/// Names of fields, as JSON texts without quotes: names that need quotes, that differ only in case, that are
/// too long for a column, that PostgreSQL reserves, and that Easel's own columns have.
const FIELDS: [&str; 52] = [
    "mood",
    "Mood",
    "MOOD",
    "score",
    "points",
    "size",
    "late",
    "tags",
    "seen_at",
    "page_id",
    "id",
    "mo od",
    "mo\\\"od",
    "mo'od",
    "mo\\\\od",
    "a/b~c",
    "",
    " ",
    "%s",
    "$1",
    "select",
    "user",
    "table",
    "xmin",
    "ctid",
    "tableoid",
    "body",
    "metadata",
    "base64",
    "extra",
    "easel_offset",
    "event_id",
    "event_time",
    "event_name",
    "received_at",
    "_metadata",
    "_event",
    "_mismatch",
    "user_id",
    "user_id_meta",
    "user_id_body",
    "user_id_local",
    "user_id_meta_local",
    "event_id_body",
    "extra_body",
    "url_meta",
    "bl\u{e5}b\u{e6}r",
    "nul\\u0000",
    "surrogate\\ud800",
    "this_name_has_sixty_three_bytes_which_is_the_most_for_a_column1",
    "this_name_has_sixty_four_bytes_which_is_too_many_for_a_column__1",
    "this_name_has_sixty_four_bytes_which_is_too_many_for_a_column__2",
];

/// Kinds of values.
const KINDS: [Kind; 22] = [
    Kind::Integer,
    Kind::Limit,
    Kind::Huge,
    Kind::Decimal,
    Kind::LongDecimal,
    Kind::Exponent,
    Kind::Boolean,
    Kind::BooleanText,
    Kind::IntegerText,
    Kind::ZeroText,
    Kind::EmptyText,
    Kind::Text,
    Kind::OddText,
    Kind::Time,
    Kind::OddTime,
    Kind::Day,
    Kind::Uuid,
    Kind::Null,
    Kind::Object,
    Kind::Array,
    Kind::Deep,
    Kind::OddJson,
];

/// How many events one release has.
pub(crate) const EVENTS_PER_RELEASE: u64 = 1_000;

/// A kind of value.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Integer,
    Limit,
    Huge,
    Decimal,
    LongDecimal,
    Exponent,
    Boolean,
    BooleanText,
    IntegerText,
    ZeroText,
    EmptyText,
    Text,
    OddText,
    Time,
    OddTime,
    Day,
    Uuid,
    Null,
    Object,
    Array,
    Deep,
    OddJson,
}

/// Releases of Canvas, one after the other.
pub(crate) struct Releases {
    rng: Rng,
    release_number: u32,
    event_count: u64,
    /// The fields of each event type of the catalogue.
    known_fields: HashMap<&'static str, Vec<String>>,
}

impl Releases {
    /// Starts with the first release.
    pub(crate) fn new(seed: u64) -> Self {
        let catalog = Catalog::built_in();
        let fields = |name| {
            let event_type = catalog.get(name).unwrap();
            let fields = event_type.body.iter();
            fields.map(|field| field.name.to_owned()).collect()
        };
        Self {
            rng: Rng::with_seed(seed),
            release_number: 0,
            event_count: 0,
            known_fields: KNOWN_TYPES.map(|name| (name, fields(name))).into(),
        }
    }

    /// Returns the events of the next release, one on each line.
    pub(crate) fn next_release(&mut self) -> String {
        self.release_number += 1;
        let mut kinds = HashMap::new();
        let mut types: Vec<String> = KNOWN_TYPES.map(str::to_owned).into();
        // Each release adds event types and keeps the earlier ones.
        let unknown_count = usize::try_from(self.release_number).unwrap() * 2;
        types.extend(
            UNKNOWN_TYPES
                .iter()
                .take(unknown_count)
                .map(ToString::to_string),
        );
        types.push(format!("release_{}_thing", self.release_number));
        let events = (0..EVENTS_PER_RELEASE).map(|_| {
            let index = self.rng.usize(..types.len());
            self.event(&types[index], &mut kinds) + "\n"
        });
        events.collect()
    }

    fn event(&mut self, event_type: &str, kinds: &mut HashMap<(String, String), Kind>) -> String {
        self.event_count += 1;
        let mut names = self
            .known_fields
            .get(event_type)
            .cloned()
            .unwrap_or_default();
        for name in FIELDS {
            // Some new fields come with each release.
            let is_new = name.len() % 10 / 2 >= usize::try_from(self.release_number).unwrap();
            if !is_new && !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        let mut members = Vec::new();
        for name in names {
            if self.rng.u8(..100) < 15 {
                continue;
            }
            let usual = kinds
                .entry((event_type.to_owned(), name.clone()))
                .or_insert_with(|| KINDS[self.rng.usize(..KINDS.len())]);
            let kind = match self.rng.u8(..100) {
                0..10 => KINDS[self.rng.usize(..KINDS.len())],
                10..18 => Kind::Null,
                _ => *usual,
            };
            let value = self.value(kind);
            members.push(format!("\"{name}\":{value}"));
        }
        self.rng.shuffle(&mut members);
        let metadata = self.metadata(event_type);
        let beside = match self.rng.u8(..20) {
            0 => {
                let kind = KINDS[self.rng.usize(..KINDS.len())];
                format!("\"note\":{},", self.value(kind))
            }
            1 => r#""tr\u0000ace":[1,{"a":1,"a":2}],"#.to_owned(),
            2 => r#""":{"_event":null},"_event":1,"body/x":"\u0000","#.to_owned(),
            _ => String::new(),
        };
        format!(
            r#"{{{beside}"metadata":{metadata},"body":{{{}}}}}"#,
            members.join(",")
        )
    }

    fn metadata(&mut self, event_type: &str) -> String {
        let (second, millisecond) = (self.event_count / 1_000, self.event_count % 1_000);
        let time = match self.rng.u8(..20) {
            0 => format!("2026-02-11 00:15:{second:02}.{millisecond:03}000999 -0800"),
            1 => format!("2026-02-11T08:15:{second:02}.{millisecond:03}123+00"),
            2 => "2016-12-31T23:59:60Z".to_owned(),
            _ => format!("2026-02-11T08:15:{second:02}.{millisecond:03}Z"),
        };
        let mut members = vec![
            format!(r#""event_name":"{event_type}""#),
            format!(r#""event_time":"{time}""#),
            // Makes each event a different one.
            format!(r#""request_id":"{}""#, self.event_count),
            format!(
                r#""url":"https://lms.example.edu/files/{}?verifier=s3cret-in-a-url&page=2""#,
                self.event_count
            ),
        ];
        for name in [
            "user_id",
            "context_id",
            "user_agent",
            "shard",
            "sh\\u0000ard",
        ] {
            let kind = match self.rng.u8(..10) {
                0..4 => continue,
                4..8 => Kind::IntegerText,
                _ => KINDS[self.rng.usize(..KINDS.len())],
            };
            members.push(format!("\"{name}\":{}", self.value(kind)));
        }
        format!("{{{}}}", members.join(","))
    }

    /// Returns a value as a JSON text.
    fn value(&mut self, kind: Kind) -> String {
        let rng = &mut self.rng;
        let choice = |rng: &mut Rng, values: &[&str]| values[rng.usize(..values.len())].to_owned();
        match kind {
            Kind::Integer => rng.i64(-1_000..1_000).to_string(),
            Kind::Limit => choice(
                rng,
                &[
                    "9223372036854775807",
                    "9223372036854775806",
                    "9223372036854775808",
                    "-9223372036854775808",
                    "-9223372036854775809",
                    "9007199254740993",
                    "2147483648",
                ],
            ),
            Kind::Huge => format!("{}{}", rng.u64(1..), "0123456789".repeat(rng.usize(1..4))),
            Kind::Decimal => choice(rng, &["0.5", "1.0", "-2.250", "1e2", "-0", "0.1", "-0.0"]),
            Kind::LongDecimal => format!("66.{}", rng.u64(1..)),
            Kind::Exponent => choice(
                rng,
                &[
                    "1e400",
                    "-1E-400",
                    "1e99999",
                    "1e-99999",
                    "1e9999999999999999999999",
                    "1.5e+300",
                    "5e-324",
                ],
            ),
            Kind::Boolean => rng.bool().to_string(),
            Kind::BooleanText => format!("\"{}\"", rng.bool()),
            Kind::IntegerText => format!("\"7000000000{:04}\"", rng.u16(..10_000)),
            Kind::ZeroText => choice(rng, &["\"007\"", "\"0\"", "\"-7\"", "\"7~44\"", "\" 7\""]),
            Kind::EmptyText => "\"\"".to_owned(),
            Kind::Text => json!("Blåbær ".repeat(rng.usize(1..400)).trim_end()).to_string(),
            Kind::OddText => choice(
                rng,
                &[
                    r#""a\u0000b""#,
                    r#""\ud800""#,
                    r#""\udc00\ud83d""#,
                    r#""\ud83d\ude00""#,
                    r#""\\N""#,
                    r#""\t\n\r\b\f\u000b\u007f\u2028""#,
                    r#""null""#,
                    r#""'; drop schema live cascade; --""#,
                ],
            ),
            Kind::Time => format!("\"2026-02-{:02}T08:15:41Z\"", rng.u8(1..29)),
            Kind::OddTime => choice(
                rng,
                &[
                    r#""2026-02-11 00:15:41.123456 -0800""#,
                    r#""2026-02-11T08:15:41.123456789Z""#,
                    r#""2016-12-31T23:59:60Z""#,
                    r#""2026-02-30T08:15:41Z""#,
                    r#""2026-02-11T08:15:41""#,
                    r#""0000-01-01T00:00:00Z""#,
                    r#""9999-12-30T23:59:59.999999Z""#,
                    r#""9999-12-31T23:59:59Z""#,
                    r#""infinity""#,
                ],
            ),
            Kind::Day => format!("\"2026-02-{:02}\"", rng.u8(1..29)),
            Kind::Uuid => {
                let uuid = uuid::Uuid::from_u128(rng.u128(..));
                choice(
                    rng,
                    &[
                        &format!("\"{uuid}\""),
                        &format!("\"{}\"", uuid.to_string().to_uppercase()),
                    ],
                )
            }
            Kind::Null => "null".to_owned(),
            Kind::Object => format!(r#"{{"weeks":{},"b":{{"c":[]}},"a":null}}"#, rng.u8(..)),
            Kind::Array => format!(r#"[{},"two",null,[],{{"three":3.0}}]"#, rng.u8(..)),
            Kind::Deep => {
                let depth = rng.usize(1..100);
                format!(r#"{}"deep"{}"#, "[".repeat(depth), "]".repeat(depth))
            }
            Kind::OddJson => choice(
                rng,
                &[
                    r#"{"a":1,"a":2}"#,
                    r#"{"a":[1e99999]}"#,
                    r#"[{"b":"\u0000"}]"#,
                    r#"{"base64":"eA=="}"#,
                    r#"{"base64":5}"#,
                    r#"{"base64":"eA==","b":1}"#,
                    r#"{"\u0062ase64":"eA=="}"#,
                    r#"{"\ud800":1}"#,
                    r#"{"_mismatch":{"/body/mood":1}}"#,
                ],
            ),
        }
    }
}
