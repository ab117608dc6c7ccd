//! The metrics of the doors.

use easel_testkit::event;
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::doors::Doors;

#[tokio::test(start_paused = true)]
async fn every_event_is_counted_by_door_and_outcome() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _counting = metrics::set_default_local_recorder(&recorder);
    let doors = Doors::open();
    let (first, second) = (event("course_created", 1), event("course_created", 2));
    doors.native("application/json", first.clone()).await;
    doors.native("application/x-ndjson", "7\n{}").await;
    let records = [&first[..], &second, b"7", b"8", b"9"];
    doors.put_records(&records).await;
    doors.log.fail_appends(true);
    doors.put_records(&[event("course_created", 3)]).await;

    let shown = recorder.handle().render();
    for line in [
        "# HELP easel_accepted_events_total Events that a door received and the log stored.",
        r#"easel_accepted_events_total{door="native"} 1"#,
        r#"easel_accepted_events_total{door="kinesis"} 1"#,
        r#"easel_duplicate_events_total{door="kinesis"} 1"#,
        r#"easel_rejected_events_total{door="native",code="not_an_object"} 1"#,
        r#"easel_rejected_events_total{door="native",code="missing_metadata"} 1"#,
        r#"easel_quarantined_records_total{door="kinesis"} 3"#,
    ] {
        assert!(
            shown.lines().any(|shown| shown == line),
            "{line} is not in:\n{shown}"
        );
    }
}
