//! Bodies with one event, an array, lines, or none of them.

use easel_catalog::{FaultCode, Reach};
use proptest::prelude::*;

use super::*;

const EVENT: &str =
    r#"{"metadata":{"event_name":"logged_out","event_time":"2025-03-03T08:00:00Z"},"body":{}}"#;

fn admit(
    framing: RequestFraming,
    input: impl AsRef<[u8]>,
) -> Result<Vec<Result<Uuid, Fault>>, FrameError> {
    let (input, limits) = (input.as_ref().to_vec(), Limits::default());
    let parts = framing.parts(&input, &limits)?;
    let Admitted { events, verdicts } = Admitted::new(input, parts, (&limits, &Reach::Everything));
    let ids = verdicts.iter().filter_map(|verdict| verdict.as_ref().ok());
    let ids: Vec<_> = ids.collect();
    for event in &events {
        assert_eq!(easel_catalog::event_id(&event.bytes), event.id);
    }
    let stored = events.iter().map(|event| &event.id);
    assert_eq!(stored.collect::<Vec<_>>(), ids);
    Ok(verdicts)
}

/// Checks that `EVENT` in place of every `@` is admitted and that the only fault is at the `^`.
#[track_caller]
fn check(framing: RequestFraming, marked: &str, line: usize, column: usize) {
    check_one(framing, &marked.replace('@', EVENT), line, column);
}

/// Checks that the only fault is at the `^`.
#[track_caller]
fn check_one(framing: RequestFraming, marked: &str, line: usize, column: usize) {
    let input = marked.replace('^', "");
    let faults: Vec<Place> = admit(framing, &input)
        .unwrap()
        .into_iter()
        .filter_map(|verdict| verdict.err().map(|fault| fault.at))
        .collect();
    let [at] = &faults[..] else {
        panic!("{} faults in {input}", faults.len())
    };
    assert_eq!(
        (at.byte, at.line, at.column),
        (marked.find('^').unwrap(), line, column),
        "{input}"
    );
}

#[test]
fn a_fault_is_placed_in_the_whole_request() {
    check(RequestFraming::Json, "  ^7", 1, 3);
    check(RequestFraming::Json, "[@,\n @, ^7]", 2, EVENT.len() + 4);
    check(RequestFraming::Json, "[@,\n{\n\"body\":^7}]", 3, 8);
    check(RequestFraming::Lines, "@\n\n^7\n@", 3, 1);
    check(RequestFraming::Lines, "@\r\n{\"body\":^7}\r\n", 2, 9);
}

#[test]
fn a_fault_after_minified_events_has_its_place_in_the_sent_body() {
    let spaced = EVENT
        .replace("\":", "\" :\n ")
        .replace("metadata", "attributes");
    let lines = spaced.matches('\n').count();
    let last = spaced.rsplit('\n').next().unwrap().len();
    let marked = format!("[{spaced},\n{spaced}, ^7, {spaced}]");
    check_one(RequestFraming::Json, &marked, 2 + 2 * lines, last + 3);
}

#[test]
fn a_byte_order_mark_is_skipped() {
    for (framing, input) in [
        (RequestFraming::Json, format!("\u{feff}{EVENT}")),
        (RequestFraming::Json, format!("\u{feff}[{EVENT}]")),
        (RequestFraming::Lines, format!("\u{feff}{EVENT}\n")),
    ] {
        let admitted = admit(framing, &input).unwrap();
        assert!(matches!(admitted[..], [Ok(_)]), "{admitted:?}");
    }
    let marked = format!("\u{feff}[^7, {EVENT}]");
    check_one(RequestFraming::Json, &marked, 1, 2);
    assert!(matches!(
        admit(RequestFraming::Json, "\u{feff} "),
        Err(FrameError::Empty)
    ));
}

#[test]
fn the_error_for_utf16_names_utf16() {
    for bom in [Some(0xfeff), None] {
        let units = bom.into_iter().chain(EVENT.encode_utf16());
        let big: Vec<u8> = units.clone().flat_map(u16::to_be_bytes).collect();
        let little: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
        for input in [big, little] {
            let error = admit(RequestFraming::Lines, input).unwrap_err();
            assert!(error.to_string().contains("UTF-16"), "{error}");
        }
    }
}

#[test]
fn a_jwt_is_recognised_with_or_without_quotes() {
    const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJib2R5Ijp7fX0.c2lnbmF0dXJl-_";
    for (framing, input) in [
        (RequestFraming::Json, JWT.to_owned()),
        (RequestFraming::Json, format!(" \"{JWT}\"\n")),
        (RequestFraming::Lines, JWT.to_owned()),
        (RequestFraming::Lines, format!("{JWT}\n\"{JWT}\"\n")),
        (RequestFraming::Json, format!("[\"{JWT}\"]")),
    ] {
        let refused = admit(framing, &input);
        assert!(
            matches!(refused, Err(FrameError::Jwt)),
            "{input}: {refused:?}"
        );
    }
    for (framing, input) in [
        (RequestFraming::Json, EVENT.to_owned()),
        (RequestFraming::Json, "\"a.b\"".to_owned()),
        (RequestFraming::Json, format!("{JWT}.{JWT}")),
        (RequestFraming::Lines, format!("{JWT}\n{EVENT}")),
    ] {
        assert!(admit(framing, &input).is_ok(), "{input}");
    }
}

#[test]
fn columns_count_characters_of_the_request() {
    check(
        RequestFraming::Json,
        "[@, ^\"é\", @]".replace("@, ^", "@,  ^").as_str(),
        1,
        EVENT.len() + 5,
    );
    let input = format!("[{}, 7]", EVENT.replace("logged_out", "ééé"));
    let fault = admit(RequestFraming::Json, &input)
        .unwrap()
        .remove(1)
        .unwrap_err();
    assert_eq!(fault.at.column, input.chars().count() - 1);
}

#[test]
fn many_faults_are_each_placed() {
    let faults = admit(RequestFraming::Json, "[1,\n2, 3,\n\n4]").unwrap();
    let places = faults.into_iter().map(|verdict| verdict.unwrap_err().at);
    let places: Vec<_> = places.map(|at| (at.byte, at.line, at.column)).collect();
    assert_eq!(places, [(1, 1, 2), (4, 2, 1), (7, 2, 4), (11, 4, 1)]);
}

#[test]
fn a_body_of_white_space_is_empty() {
    for framing in [RequestFraming::Json, RequestFraming::Lines] {
        for input in ["", " \r\n\t"] {
            assert!(
                matches!(admit(framing, input), Err(FrameError::Empty)),
                "{input:?}"
            );
        }
    }
}

#[test]
fn an_empty_array_has_no_events() {
    assert!(admit(RequestFraming::Json, "[]").unwrap().is_empty());
}

#[test]
fn a_broken_array_is_a_fault_of_the_whole_request() {
    match admit(RequestFraming::Json, format!("[{EVENT}, {{]")) {
        Err(FrameError::BadArray { fault }) => assert_eq!(fault.code, FaultCode::Syntax),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_number_of_events_of_a_request_is_limited() {
    let most = vec!["7"; Intake::MAX_EVENTS];
    for (framing, input) in [
        (RequestFraming::Lines, most.join("\n")),
        (RequestFraming::Json, format!("[{}]", most.join(","))),
    ] {
        assert_eq!(admit(framing, &input).unwrap().len(), Intake::MAX_EVENTS);
    }
    // An error after the limit is not detected.
    let more = most.join(",") + ",7";
    for (framing, input) in [
        (RequestFraming::Lines, more.replace(',', "\n")),
        (RequestFraming::Json, format!("[{more}]")),
        (RequestFraming::Json, format!("[{more}, tru")),
    ] {
        assert!(
            matches!(admit(framing, &input), Err(FrameError::TooMany { .. })),
            "{framing:?}"
        );
    }
}

#[test]
fn the_content_type_decides_the_framing() {
    let framing = |text: &str| {
        RequestFraming::from_headers(&HeaderMap::from_iter([(
            CONTENT_TYPE,
            text.parse().unwrap(),
        )]))
    };
    assert_eq!(
        RequestFraming::from_headers(&HeaderMap::new()),
        Some(RequestFraming::Json)
    );
    assert_eq!(
        framing("application/json; charset=utf-8"),
        Some(RequestFraming::Json)
    );
    assert_eq!(framing("Application/X-NDJSON"), Some(RequestFraming::Lines));
    assert_eq!(framing("text/csv"), None);
}

proptest! {
    #[test]
    fn each_valid_line_is_admitted(
        lines in prop::collection::vec(
            prop_oneof![Just(EVENT.to_owned()), "[ -~é]{0,30}", Just("\r".to_owned())],
            0..20,
        )
    ) {
        let input = lines.join("\n");
        let wanted = lines.iter().filter(|line| *line == EVENT).count();
        match admit(RequestFraming::Lines, &input) {
            Ok(verdicts) => {
                let admitted = verdicts.iter().filter(|verdict| verdict.is_ok());
                prop_assert_eq!(admitted.count(), wanted);
            }
            Err(error) => prop_assert!(matches!(error, FrameError::Empty) && wanted == 0),
        }
    }

    #[test]
    fn arbitrary_bytes_are_split_without_a_panic(
        input in prop_oneof![
            any::<Vec<u8>>(),
            "[\\[\\]{}\",:a0 \n]{0,60}".prop_map(String::into_bytes),
        ]
    ) {
        for framing in [RequestFraming::Json, RequestFraming::Lines] {
            if let Ok(verdicts) = admit(framing, &input) {
                for fault in verdicts.into_iter().filter_map(Result::err) {
                    prop_assert!(fault.at.byte <= input.len());
                }
            }
        }
    }
}
