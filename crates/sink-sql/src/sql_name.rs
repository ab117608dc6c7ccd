//! The names of tables and columns.
//!
//! A database cuts names that are too long, so two of them could become one name. Here a name that is
//! too long, or that would have another meaning, gets a suffix: a part of its BLAKE3 digest. The same
//! name always becomes the same text.

use std::collections::HashSet;

/// The longest name of a table or a column, in bytes.
const MAX_BYTES: usize = 63;

/// The prefix of tables of Easel itself.
pub(crate) const OWN_PREFIX: &str = "easel_";

/// The table with one row per lane: the next offset that the tables do not have.
pub(crate) const CURSORS_TABLE: &str = "easel_cursors";

/// The table with one row per change of the schema.
pub(crate) const MIGRATIONS_TABLE: &str = "easel_migrations";

/// The table with one row per event: what the tables of the layout `ledbelly` do not hold.
pub(crate) const REGISTER_TABLE: &str = "easel_events";

/// The prefix of tables in the layout `ledbelly`.
const LEDBELLY_PREFIX: &str = "live_";

/// The table of the layout `ledbelly` with the events of all event types.
pub(crate) const STREAM_TABLE: &str = "live_stream";

/// The suffix of views with the newest row per key.
pub(crate) const LATEST_SUFFIX: &str = "_latest";

/// The names of views and of the table of the wide layout. No event type gets a table of this name.
const RESERVED: [&str; 4] = [
    WIDE_TABLE,
    "enrollments_now",
    "grades_now",
    "activity_by_day",
];

/// The table of the wide layout.
pub(crate) const WIDE_TABLE: &str = "events";

/// The columns that PostgreSQL itself adds to each table. No other column can have one of these names.
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// Returns true if no column can have this name, because the database uses it.
pub(crate) fn is_system_column(name: &str) -> bool {
    SYSTEM_COLUMNS.contains(&name)
}

/// Returns true if a database would cut the name.
pub(crate) const fn is_too_long(name: &str) -> bool {
    name.len() > MAX_BYTES
}

/// Returns the name of the table of an event type.
///
/// It is the name of the event type, with `__` for each dot. A name with other characters than `a-z`, `0-9`
/// and `_`, a name with `__`, a name that is too long, and a name that Easel uses itself get a suffix.
pub fn table_name(event_type: &str) -> String {
    let plain = word(event_type);
    let is_reserved = plain.is_empty()
        || event_type.contains("__")
        || event_type.starts_with(OWN_PREFIX)
        || plain.starts_with("pg_")
        || plain.ends_with(LATEST_SUFFIX)
        || RESERVED.contains(&plain.as_str());
    let dotted = event_type.replace('.', "__");
    if plain == event_type.replace('.', "_") && !is_reserved && dotted.len() <= MAX_BYTES {
        return dotted;
    }
    with_digest(&plain, event_type)
}

/// Returns the name of the table of an event type in the layout `ledbelly`.
pub(crate) fn ledbelly_table_name(event_type: &str) -> String {
    let name = format!("{LEDBELLY_PREFIX}{}", word(event_type));
    if name == STREAM_TABLE {
        return with_digest(&name, event_type);
    }
    fitting(&name)
}

/// Returns the name of the column with the number of the row in the layout `ledbelly`.
pub(crate) fn row_number_name(event_type: &str) -> String {
    fitting(&format!("{}_id", word(event_type)))
}

/// Returns the text in lower case, with `_` for every character that no plain name has.
fn word(text: &str) -> String {
    let lower = text.chars().map(|c| match c.to_ascii_lowercase() {
        lower @ ('a'..='z' | '0'..='9' | '_') => lower,
        _other => '_',
    });
    lower.collect()
}

/// Returns the name of the view with the newest rows of a table.
pub(crate) fn latest_view(table: &str) -> String {
    fitting(&format!("{table}{LATEST_SUFFIX}"))
}

/// Returns the name of the index of a table on the ids of events.
pub(crate) fn index_name(table: &str) -> String {
    fitting(&format!("{table}_event_id_index"))
}

/// Returns `name` if it is short enough, else its start with a suffix.
fn fitting(name: &str) -> String {
    if name.len() <= MAX_BYTES {
        return name.to_owned();
    }
    with_digest(name, name)
}

/// Returns the start of `text` and a part of the digest of `whole`.
fn with_digest(text: &str, whole: &str) -> String {
    let digest = blake3::hash(whole.as_bytes()).to_hex();
    let digest: String = digest.chars().take(8).collect();
    let mut start = String::new();
    for character in text.chars() {
        if start.len() + character.len_utf8() > MAX_BYTES - 9 {
            break;
        }
        start.push(character);
    }
    format!("{start}_{digest}")
}

/// The names of the columns of one table.
#[derive(Debug, Default)]
pub(crate) struct ColumnNames(HashSet<String>);

impl ColumnNames {
    /// Returns a name that no column of the table has: `name`, or `name` with `suffix`, or a name with a
    /// part of a digest.
    pub(crate) fn add(&mut self, name: &str, suffix: &str) -> String {
        let mut candidate = fitting(name);
        if is_system_column(name) || !self.0.insert(candidate.clone()) {
            candidate = fitting(&format!("{name}{suffix}"));
            let mut attempt = 0_u32;
            while !self.0.insert(candidate.clone()) {
                attempt += 1;
                candidate = with_digest(name, &format!("{name}{suffix}{attempt}"));
            }
        }
        candidate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_event_type_is_the_name_of_its_table() {
        assert_eq!(table_name("submission_updated"), "submission_updated");
    }

    #[test]
    fn a_dot_becomes_two_underscores() {
        assert_eq!(table_name("easel.drift.found"), "easel__drift__found");
    }

    #[test]
    fn other_event_types_get_a_suffix_so_that_no_two_share_a_table() {
        let long = "x".repeat(128);
        let names = [
            "easel__drift__found",
            "easel_drift_found",
            "Submission_updated",
            "events",
            "grade_change_latest",
            "caliper:Event/Used",
            &long,
            "é",
            "",
            "pg_class",
        ];
        let tables: HashSet<_> = names.map(table_name).into_iter().collect();
        assert_eq!(tables.len(), names.len());
        for table in &tables {
            assert!(table.len() <= MAX_BYTES, "{table}");
            assert!(!names.contains(&table.as_str()), "{table}");
        }
    }

    #[test]
    fn in_the_layout_ledbelly_other_characters_become_underscores() {
        let check = |event_type, table, number| {
            assert_eq!(ledbelly_table_name(event_type), table);
            assert_eq!(row_number_name(event_type), number);
        };
        check("grade_change", "live_grade_change", "grade_change_id");
        check(
            "quizzes.quiz_graded",
            "live_quizzes_quiz_graded",
            "quizzes_quiz_graded_id",
        );
        check(
            "quizzes-lti.grade_changed",
            "live_quizzes_lti_grade_changed",
            "quizzes_lti_grade_changed_id",
        );
        assert_ne!(ledbelly_table_name("stream"), STREAM_TABLE);
        assert!(ledbelly_table_name(&"x".repeat(128)).len() <= MAX_BYTES);
    }

    #[test]
    fn names_of_columns_are_unique_and_short() {
        let mut names = ColumnNames::default();
        let long = "é".repeat(60);
        assert_eq!(names.add("user_id", "_meta"), "user_id");
        assert_eq!(names.add("user_id", "_meta"), "user_id_meta");
        let third = names.add("user_id", "_meta");
        assert!(third.starts_with("user_id_") && third != "user_id_meta");
        assert_eq!(names.add("ctid", "_body"), "ctid_body");
        let (first, second) = (names.add(&long, "_meta"), names.add(&long, "_meta"));
        assert_ne!(first, second);
        assert!(first.len() <= MAX_BYTES && second.len() <= MAX_BYTES);
    }
}
