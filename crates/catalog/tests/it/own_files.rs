//! An operator's own data files: what they change, and how what is wrong in them is told.

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
    let it = catalog.get("bell_rang").unwrap();
    assert_eq!(
        (it.category, it.meaning, it.body[0].name),
        ("school", "A bell.", "bell_id")
    );
    assert_eq!(catalog.types().len(), Catalog::built_in().types().len() + 1);
    assert!(catalog.types().is_sorted_by_key(|it| it.name));
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
fn an_event_type_takes_the_place_of_a_built_in_one() {
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
    check_refused(
        "grade/grade_change.toml",
        &[TYPE, &body.concat()].concat(),
        "grade/grade_change.toml: the Caliper form makes use of the field \"points_possible\", which is not here",
    );
    let rest = ["score", "student_sis_id", "points_possible"].map(id);
    let text = [TYPE, &body.concat(), &rest.concat()].concat();
    let catalog = with("grade/grade_change.toml", &text).unwrap();
    let it = catalog.get("grade_change").unwrap();
    assert_eq!(it.meaning, "A bell.");
    assert!(it.caliper.is_some(), "the form of the type before it");
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
        .find(|it| it.field.name == "producer")
        .unwrap();
    assert_eq!(*producer.field.values.unwrap().listed, ["moodle"]);
}

#[track_caller]
fn check_refused(path: &str, text: &str, wanted: &str) {
    match with(path, text) {
        Err(error) => assert_eq!(error.to_string(), wanted),
        Ok(_) => panic!("{text} was taken"),
    }
}

#[track_caller]
fn check_field(field: &str, column: usize, fault: &str) {
    let wanted = format!("own/x.toml:5:{column}: {fault}");
    check_refused("own/x.toml", &format!("{TYPE}f = {{ {field} }}\n"), &wanted);
}

#[test]
fn a_fault_names_file_line_and_column() {
    check_field(
        "type = \"strin\", about = \"It.\"",
        14,
        "there is no type \"strin\"; there are string, id, integer, number, boolean, timestamp, object, array<string>, array<id> and array<object>",
    );
    check_field("type = \"id\", about = \"It.\"", 14, "an id has a `scope`");
    check_field(
        "type = \"string\", scope = \"local\", about = \"It.\"",
        32,
        "`scope` does not belong here",
    );
    check_field(
        "type = \"number\", values = [\"a\"], about = \"It.\"",
        33,
        "`values` does not belong here",
    );
    check_field(
        "type = \"string\", open = true, about = \"It.\"",
        31,
        "`open` does not belong here",
    );
    check_field(
        "type = \"string\", in = [\"job\"], about = \"It.\"",
        29,
        "`in` does not belong here",
    );
    check_field("type = \"string\", about = \"\"", 32, "this says nothing");
    check_field(
        "type = \"string\", about = \"It.\", example = 7",
        49,
        "the example is no string",
    );
    check_field(
        "type = \"string\", about = \"It.\", old = \"g\"",
        45,
        "there is no field `g` beside this one",
    );
    check_refused(
        "metadata.toml",
        "[metadata]\nf = { type = \"string\", about = \"It.\" }\n",
        "metadata.toml:2:1: a field of the metadata says in which events it is: `in`",
    );
    check_refused(
        "own/x.toml",
        "meaning = \"A bell.\"\ntriger = \"\"\n",
        "own/x.toml:2:1: unknown key `triger`; the keys here are `meaning`, `trigger`, `notes`, `known_from`, `record`, `action`, `published`, `context`, `open`, `further`, `body`",
    );
    check_refused(
        "own/x.toml",
        "meaning = \"é\" x",
        "own/x.toml:1:15: something stands behind the value; every key must be on a line of its own",
    );
}

#[test]
fn a_fault_is_told_apart_by_programs_too() {
    let error = with("own/x.toml", "meaning = 7\n").unwrap_err();
    let CatalogError::File(DataFileError { line, column, .. }) = error else {
        panic!("{error}");
    };
    assert_eq!((line, column), (1, 11));
}

#[test]
fn an_example_keeps_to_what_is_declared() {
    check_refused(
        "own/x.toml",
        &format!(
            "{TYPE}f = {{ type = \"id\", scope = \"local\", about = \"It.\", example = \"7~1\" }}\n"
        ),
        "own/x.toml: the example breaks `not_an_id` at /body/f: an id is a string of digits; string found",
    );
}

#[test]
fn the_metadata_keeps_to_what_is_declared_too() {
    check_refused(
        "metadata.toml",
        "[metadata]\nproducer = { type = \"string\", in = [\"request\"], values = [\"moodle\"], about = \"What sent it.\", example = \"canvas\" }\n",
        "metadata.toml: the example breaks `unlisted_value` at /metadata/producer: the catalogue has no such value",
    );
}

#[test]
fn an_event_type_has_one_file_and_a_form_has_an_event_type() {
    let files = ["a/x.toml", "b/x.toml"].map(|path| CatalogFile { path, text: TYPE });
    let error = Catalog::with_files(&files).unwrap_err();
    assert_eq!(
        error.to_string(),
        "b/x.toml: a/x.toml is about this event type too"
    );
    check_refused(
        "a/x.caliper.toml",
        "type = \"Event\"\naction = \"Created\"\n[object]\n",
        "a/x.caliper.toml: there is no event type of this name",
    );
}

#[test]
fn a_fault_of_a_form_has_a_place_too() {
    for (rest, wanted) in [
        (
            "[object]\nid = \"course:{curse_id}\"",
            "4:15: course_created has no field \"curse_id\"",
        ),
        (
            "[object]\nid = \"@basis\"",
            "4:7: nothing is worked out as @basis",
        ),
        ("[object]\nid = 7", "4:1: `id` is no text, table or array"),
        (
            "[object]\nid = \"course:{course_id\"",
            "4:7: \"course:{course_id\" has a brace that is not closed",
        ),
        (
            "[object]\nname = '\"'",
            "4:9: \"\\\"\" has a quote, a backslash or a control character in it",
        ),
        (
            "author = \"user_id\"\ngrader = \"user_id\"\n[object]",
            "4:1: there is an `author` or a `grader`, not both",
        ),
    ] {
        check_refused(
            "course/course_created.caliper.toml",
            &format!("type = \"Event\"\naction = \"Created\"\n{rest}\n"),
            &format!("course/course_created.caliper.toml:{wanted}"),
        );
    }
}

#[test]
fn members_of_an_open_body_are_made_by_a_rule() {
    let text = |keys: &str| TYPE.replace("\n\n[body]", &format!("\n{keys}\n[body]"));
    let catalog = with("bell_rang.toml", &text("open = true\nfurther = \"@row\"")).unwrap();
    let bell = catalog.get("bell_rang").unwrap();
    assert_eq!(
        bell.further.map(|it| it.to_string()).as_deref(),
        Some("@row")
    );
    check_refused(
        "bell_rang.toml",
        &text("further = \"@row\""),
        "bell_rang.toml:3:11: `further` needs `open = true`",
    );
    check_refused(
        "bell_rang.toml",
        &text("open = true\nfurther = \"settings\""),
        "bell_rang.toml:4:11: `further` must be a rule, such as `@row`",
    );
}

#[test]
fn there_are_bounds() {
    let name = "x".repeat(129);
    check_refused(
        &format!("{name}.toml"),
        TYPE,
        &format!("{name}.toml:1:1: an event type's name has 1 to 128 characters"),
    );
    check_refused(
        "own/easel.bell_rang.toml",
        TYPE,
        "own/easel.bell_rang.toml:1:1: an event type's name must not begin with `easel.`",
    );
    let field = |n| format!("f{n} = {{ type = \"string\", null = true, about = \"It.\" }}\n");
    let fields = (0..129).map(field).collect::<Vec<_>>().concat();
    check_refused(
        "x.toml",
        &format!("{TYPE}{fields}"),
        "x.toml:133:1: there are more than 128 fields",
    );
}
