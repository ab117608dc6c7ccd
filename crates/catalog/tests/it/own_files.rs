//! An operator's own data files: their effect, and the errors for invalid files.

use easel_catalog::{Catalog, CatalogError, CatalogFile, DataFileError};

fn with(path: &str, text: &str) -> Result<Catalog, CatalogError> {
    Catalog::with_files(&[CatalogFile { path, text }])
}

const TYPE: &str = "meaning = \"A bell.\"\ntrigger = \"It rings.\"\n\n[body]\n";

#[test]
fn an_event_type_is_added() {
    let text = format!(
        "{TYPE}bell_id = {{ type = \"id\", scope = \"local\", about = \"The bell.\", example = \"7\" }}\n"
    );
    let catalog = with("school/bell_rang.toml", &text).unwrap();
    let event_type = catalog.get("bell_rang").unwrap();
    assert_eq!(
        (
            event_type.category,
            event_type.meaning,
            event_type.body[0].name
        ),
        ("school", "A bell.", "bell_id")
    );
    assert_eq!(catalog.types().len(), Catalog::built_in().types().len() + 1);
    assert!(
        catalog
            .types()
            .is_sorted_by_key(|event_type| event_type.name)
    );
    assert_eq!(
        with("bell_rang.toml", &text)
            .unwrap()
            .get("bell_rang")
            .unwrap()
            .category,
        "own"
    );
}

#[test]
fn an_event_type_replaces_the_built_in_one() {
    let id = |field: &str| {
        format!("{field} = {{ type = \"id\", null = true, scope = \"local\", about = \"It.\" }}\n")
    };
    let body = [
        "grader_id",
        "submission_id",
        "grade",
        "student_id",
        "assignment_id",
    ]
    .map(id);
    check_rejected(
        "grade/grade_change.toml",
        &[TYPE, &body.concat()].concat(),
        "grade/grade_change.toml: the Caliper form uses the field \"points_possible\", which the event type does not have",
    );
    let rest = ["score", "student_sis_id", "points_possible"].map(id);
    let text = [TYPE, &body.concat(), &rest.concat()].concat();
    let catalog = with("grade/grade_change.toml", &text).unwrap();
    let event_type = catalog.get("grade_change").unwrap();
    assert_eq!(event_type.meaning, "A bell.");
    assert!(event_type.caliper.is_some(), "the built-in form stays");
    assert_eq!(catalog.types().len(), Catalog::built_in().types().len());
}

#[test]
fn a_field_of_the_metadata_is_added_or_replaced() {
    let text = "[metadata]\n\
                tenant = { type = \"string\", in = [\"request\"], when = \"there is one\", about = \"Whose it is.\" }\n\
                producer = { type = \"string\", in = [\"request\"], values = [\"moodle\"], about = \"What sent it.\", example = \"moodle\" }\n";
    let catalog = with("metadata.toml", text).unwrap();
    let built_in = Catalog::built_in();
    assert_eq!(catalog.metadata().len(), built_in.metadata().len() + 1);
    let producer = catalog
        .metadata()
        .iter()
        .find(|metadata_field| metadata_field.field.name == "producer")
        .unwrap();
    assert_eq!(*producer.field.values.unwrap().listed, ["moodle"]);
}

#[track_caller]
fn check_rejected(path: &str, text: &str, wanted: &str) {
    match with(path, text) {
        Err(error) => assert_eq!(error.to_string(), wanted),
        Ok(_) => panic!("{text} was accepted"),
    }
}

#[track_caller]
fn check_field(field: &str, column: usize, fault: &str) {
    let wanted = format!("own/x.toml:5:{column}: {fault}");
    check_rejected("own/x.toml", &format!("{TYPE}f = {{ {field} }}\n"), &wanted);
}

#[test]
fn an_error_names_file_line_and_column() {
    check_field(
        "type = \"strin\", about = \"It.\"",
        14,
        "the type \"strin\" is unknown; the types are string, id, integer, number, boolean, timestamp, object, array<string>, array<id> and array<object>",
    );
    check_field(
        "type = \"id\", about = \"It.\"",
        14,
        "`scope` is missing; an id requires it",
    );
    check_field(
        "type = \"string\", scope = \"local\", about = \"It.\"",
        32,
        "`scope` is not allowed here",
    );
    check_field(
        "type = \"number\", values = [\"a\"], about = \"It.\"",
        33,
        "`values` is not allowed here",
    );
    check_field(
        "type = \"string\", open = true, about = \"It.\"",
        31,
        "`open` is not allowed here",
    );
    check_field(
        "type = \"string\", in = [\"job\"], about = \"It.\"",
        29,
        "`in` is not allowed here",
    );
    check_field(
        "type = \"string\", about = \"\"",
        32,
        "`about` must not be empty",
    );
    check_field(
        "type = \"string\", about = \"It.\", example = 7",
        49,
        "the example must be of type string",
    );
    check_field(
        "type = \"string\", about = \"It.\", old = \"g\"",
        45,
        "the field `g` is unknown in this object",
    );
    check_rejected(
        "metadata.toml",
        "[metadata]\nf = { type = \"string\", about = \"It.\" }\n",
        "metadata.toml:2:1: `in` is missing; it names the events that have the field",
    );
    check_rejected(
        "own/x.toml",
        "meaning = \"A bell.\"\ntriger = \"\"\n",
        "own/x.toml:2:1: unknown key `triger`; the keys here are `meaning`, `trigger`, `notes`, `known_from`, `record`, `action`, `published`, `columns_only`, `context`, `open`, `further`, `body`",
    );
    check_rejected(
        "own/x.toml",
        "meaning = \"é\" x",
        "own/x.toml:1:15: there is something after the value; every key must be on its own line",
    );
}

#[test]
fn an_event_type_known_only_from_columns_claims_nothing_else() {
    let text =
        |keys: &str| format!("meaning = \"A bell.\"\ntrigger = \"\"\n{keys}columns_only = true\n");
    let wanted = |line: usize| {
        format!(
            "own/x.toml:{line}:16: `columns_only` needs `published = false` and `open = true`, and \
             allows neither `record` nor `action`"
        )
    };
    for (keys, line) in [
        ("", 3),
        ("open = true\n", 4),
        ("published = false\n", 4),
        ("published = false\nopen = true\naction = \"ring\"\n", 6),
        ("published = false\nopen = true\nrecord = \"Bell\"\n", 6),
    ] {
        check_rejected("own/x.toml", &text(keys), &wanted(line));
    }
    let catalog = with("own/x.toml", &text("published = false\nopen = true\n")).unwrap();
    assert!(catalog.get("x").unwrap().columns_only);
}

#[test]
fn an_error_has_its_line_and_column_as_numbers() {
    let error = with("own/x.toml", "meaning = 7\n").unwrap_err();
    let CatalogError::File(DataFileError { line, column, .. }) = error else {
        panic!("{error}");
    };
    assert_eq!((line, column), (1, 11));
}

#[test]
fn an_example_must_be_valid() {
    check_rejected(
        "own/x.toml",
        &format!(
            "{TYPE}f = {{ type = \"id\", scope = \"local\", about = \"It.\", example = \"7~1\" }}\n"
        ),
        "own/x.toml: the example breaks `not_an_id` at /body/f: an id must be a string of digits, found string",
    );
}

#[test]
fn an_example_in_the_metadata_must_be_valid() {
    check_rejected(
        "metadata.toml",
        "[metadata]\nproducer = { type = \"string\", in = [\"request\"], values = [\"moodle\"], about = \"What sent it.\", example = \"canvas\" }\n",
        "metadata.toml: the example breaks `unlisted_value` at /metadata/producer: the value is unknown",
    );
}

#[test]
fn an_event_type_must_have_one_file_and_a_form_must_have_an_event_type() {
    let files = ["a/x.toml", "b/x.toml"].map(|path| CatalogFile { path, text: TYPE });
    let error = Catalog::with_files(&files).unwrap_err();
    assert_eq!(
        error.to_string(),
        "b/x.toml: a/x.toml describes the same event type"
    );
    check_rejected(
        "a/x.caliper.toml",
        "type = \"Event\"\naction = \"Created\"\n[object]\n",
        "a/x.caliper.toml: no file describes the event type of this Caliper form",
    );
}

#[test]
fn an_error_in_a_form_has_a_place() {
    for (rest, wanted) in [
        (
            "[object]\nid = \"course:{curse_id}\"",
            "4:15: the field \"curse_id\" of course_created is unknown",
        ),
        (
            "[object]\nid = \"@basis\"",
            "4:7: the computed value @basis is unknown",
        ),
        (
            "[object]\nid = 7",
            "4:1: `id` must be a string, a table or an array",
        ),
        (
            "[object]\nid = \"course:{course_id\"",
            "4:7: \"course:{course_id\" has an unclosed brace",
        ),
        (
            "[object]\nname = '\"'",
            "4:9: \"\\\"\" must not have a quote, a backslash or a control character",
        ),
        (
            "author = \"user_id\"\ngrader = \"user_id\"\n[object]",
            "4:1: a form must not have both `author` and `grader`",
        ),
    ] {
        check_rejected(
            "course/course_created.caliper.toml",
            &format!("type = \"Event\"\naction = \"Created\"\n{rest}\n"),
            &format!("course/course_created.caliper.toml:{wanted}"),
        );
    }
}

#[test]
fn a_rule_computes_the_unlisted_members_of_an_open_body() {
    let text = |keys: &str| TYPE.replace("\n\n[body]", &format!("\n{keys}\n[body]"));
    let catalog = with("bell_rang.toml", &text("open = true\nfurther = \"@row\"")).unwrap();
    let bell = catalog.get("bell_rang").unwrap();
    assert_eq!(
        bell.further.map(|column| column.to_string()).as_deref(),
        Some("@row")
    );
    check_rejected(
        "bell_rang.toml",
        &text("further = \"@row\""),
        "bell_rang.toml:3:11: `further` needs `open = true`",
    );
    check_rejected(
        "bell_rang.toml",
        &text("open = true\nfurther = \"settings\""),
        "bell_rang.toml:4:11: `further` must be a rule, such as `@row`",
    );
}

#[test]
fn names_and_field_counts_are_limited() {
    let name = "x".repeat(129);
    check_rejected(
        &format!("{name}.toml"),
        TYPE,
        &format!("{name}.toml:1:1: an event type's name must have 1 to 128 characters"),
    );
    check_rejected(
        "own/easel.bell_rang.toml",
        TYPE,
        "own/easel.bell_rang.toml:1:1: an event type's name must not begin with `easel.`",
    );
    let field = |n| format!("f{n} = {{ type = \"string\", null = true, about = \"It.\" }}\n");
    let fields = (0..129).map(field).collect::<Vec<_>>().concat();
    check_rejected(
        "x.toml",
        &format!("{TYPE}{fields}"),
        "x.toml:133:1: an object must not have more than 128 fields",
    );
}
