//! `/metrics` has all metrics from the start, in the format of Prometheus.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use easel_catalog::{Catalog, EventOrigin, FaultCode};
use easel_server::{Config, Spec};
use easel_testkit::{Receiver, check_page, report_missing};
use hyper::StatusCode;

use crate::test_server::{TestServer, config};

/// The operators' manual.
const OPERATING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operating.md");

/// Starts a server with one subscription and no events.
async fn fresh(data: &Path) -> TestServer {
    let spec = r#"{"name":"all","webhook":{"url":"http://127.0.0.1:1/"}}"#;
    let source = r#"{"name":"hosted","kind":"https"}"#;
    let declared = Config {
        subscriptions: vec![serde_json::from_str::<Spec>(spec).unwrap().into()],
        sources: vec![serde_json::from_str(source).unwrap()],
        ..config(data)
    };
    TestServer::open(declared).await
}

/// Returns the page when the lane of the subscription runs. The lane starts after the server listens.
async fn page(test_server: &TestServer) -> String {
    loop {
        let page = test_server.get("/metrics").await;
        if page.contains("easel_lane_lag_events{") && page.contains("easel_attempts_total{") {
            return page;
        }
        tokio::task::yield_now().await;
    }
}

/// Returns every source file of every room, without integration tests.
fn sources() -> Vec<PathBuf> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut folders: Vec<_> = fs::read_dir(crates)
        .unwrap()
        .map(|room| room.unwrap().path().join("src"))
        .filter(|folder| folder.is_dir())
        .collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

/// Returns the names of all described metrics. Reads the constants in `describe_…!(CONSTANT, …)` and
/// their values.
fn described() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in sources() {
        let text = fs::read_to_string(&file).unwrap();
        for kind in [
            "describe_counter!(",
            "describe_gauge!(",
            "describe_histogram!(",
        ] {
            for (_, rest) in text
                .match_indices(kind)
                .map(|(at, _)| text.split_at(at + kind.len()))
            {
                let constant = rest.trim_start().split(',').next().unwrap();
                let definition = format!("const {constant}: &str = \"");
                let value = text.split(&definition).nth(1).unwrap_or_else(|| {
                    panic!("{}: {constant} is not defined here", file.display())
                });
                names.insert(value.split('"').next().unwrap().to_owned());
            }
        }
    }
    names
}

#[tokio::test]
async fn every_described_metric_is_on_the_page_of_a_fresh_server() {
    let folder = tempfile::tempdir().unwrap();
    let test_server = fresh(folder.path()).await;
    let page = page(&test_server).await;
    let shown: BTreeSet<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    let described = described();
    assert!(described.len() >= 25, "{described:?}");
    let missing: Vec<_> = described.difference(&shown).collect();
    assert!(missing.is_empty(), "{missing:?} are missing from\n{page}");
    let unexplained: Vec<_> = shown.difference(&described).collect();
    assert!(unexplained.is_empty(), "{unexplained:?} are not described");
    test_server.close().await;
}

/// The reference of all metrics, from the page of a server: name, type, labels, meaning.
fn reference(page: &str) -> String {
    let mut text = "# Metrics\n\nThis page is generated from `/metrics`, which has the format of Prometheus.\n\n\
                    | metric | type | labels | meaning |\n| --- | --- | --- | --- |\n"
        .to_owned();
    let helps = page.lines().filter_map(|line| line.strip_prefix("# HELP "));
    let mut rows: Vec<_> = helps
        .map(|help| {
            let (name, meaning) = help.split_once(' ').unwrap();
            let kind = format!("# TYPE {name} ");
            let kind = page
                .lines()
                .find_map(|line| line.strip_prefix(&kind))
                .unwrap();
            let is_sample = |line: &&str| {
                let rest = line.strip_prefix(name).unwrap_or_default();
                rest.starts_with('{') || rest.starts_with("_count{") || rest.starts_with("_bucket{")
            };
            let labels: BTreeSet<_> = page
                .lines()
                .filter(is_sample)
                .flat_map(|line| {
                    let pairs = line.split(['{', '}']).nth(1).unwrap().split(',');
                    pairs.filter_map(|pair| Some(pair.split_once('=')?.0))
                })
                .filter(|label| !["le", "quantile"].contains(label))
                .map(|label| format!("`{label}`"))
                .collect();
            let labels = labels.into_iter().collect::<Vec<_>>().join(", ");
            format!("| `{name}` | {kind} | {labels} | {meaning} |\n")
        })
        .collect();
    rows.sort();
    text.extend(rows);
    text
}

/// `EASEL_WRITE_PAGES=1 cargo nt -p easel-server metrics` writes the page.
#[tokio::test]
async fn the_metrics_page_of_the_docs_is_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let test_server = fresh(folder.path()).await;
    let reference = reference(&page(&test_server).await);
    test_server.close().await;
    check_page("metrics.md", &reference);
}

#[tokio::test]
async fn every_label_of_a_closed_set_is_on_the_page_of_a_fresh_server() {
    let folder = tempfile::tempdir().unwrap();
    let test_server = fresh(folder.path()).await;
    let page = page(&test_server).await;
    let mut wanted = vec![
        "easel_lanes_holding 0".to_owned(),
        "easel_unbalanced_subscriptions 0".to_owned(),
        "easel_untranslated_events_total 0".to_owned(),
        "easel_untranslated_values_total 0".to_owned(),
        "easel_log_duplicates_total 0".to_owned(),
        "easel_log_damaged_records_total 0".to_owned(),
        "easel_drift_lag_events 0".to_owned(),
        "easel_quarantined_records_total{door=\"kinesis\"} 0".to_owned(),
        "easel_deliveries_total{subscription=\"all\"} 0".to_owned(),
        "easel_lane_lag_events{subscription=\"all\"} 0".to_owned(),
        "easel_lane_lag_seconds{subscription=\"all\"} 0".to_owned(),
        format!(
            "easel_build_info{{version=\"{}\",os=\"{}\",arch=\"{}\"}} 1",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::OS,
            std::env::consts::ARCH
        ),
    ];
    for log in ["events", "quarantine"] {
        wanted.push(format!("easel_log_bytes{{log=\"{log}\"}} 0"));
        wanted.push(format!("easel_log_refusing{{log=\"{log}\"}} 0"));
        for histogram in ["seconds", "records", "bytes"] {
            wanted.push(format!(
                "easel_log_commit_{histogram}_count{{log=\"{log}\"}} 0"
            ));
        }
    }
    for door in ["native", "kinesis", "changes"] {
        wanted.push(format!("easel_accepted_events_total{{door=\"{door}\"}} 0"));
        wanted.push(format!("easel_duplicate_events_total{{door=\"{door}\"}} 0"));
    }
    for code in FaultCode::ALL {
        let code = code.as_str();
        wanted.push(format!(
            "easel_rejected_events_total{{door=\"native\",code=\"{code}\"}} 0"
        ));
    }
    for outcome in ["events", "no_event", "fault"] {
        wanted.push(format!("easel_changes_total{{outcome=\"{outcome}\"}} 0"));
    }
    for drift in [
        "unknown_event_type",
        "unknown_field",
        "type_change",
        "unlisted_value",
    ] {
        wanted.push(format!("easel_drift_findings_total{{drift=\"{drift}\"}} 0"));
    }
    for outcome in [
        "delivered",
        "gone",
        "refused",
        "busy",
        "timed_out",
        "unreachable",
    ] {
        wanted.push(format!(
            "easel_attempts_total{{subscription=\"all\",outcome=\"{outcome}\"}} 0"
        ));
    }
    let lines: BTreeSet<_> = page.lines().collect();
    let missing: Vec<_> = wanted
        .iter()
        .filter(|line| !lines.contains(line.as_str()))
        .collect();
    assert!(missing.is_empty(), "{missing:#?} are missing from\n{page}");
    test_server.close().await;
}

/// Waits until the page has the line `wanted`, and returns the page.
async fn page_with(test_server: &TestServer, wanted: &str) -> String {
    loop {
        let page = test_server.get("/metrics").await;
        if page.lines().any(|line| line == wanted) {
            return page;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn attempts_and_deliveries_are_counted_separately_for_each_subscription() {
    let folder = tempfile::tempdir().unwrap();
    let (taking, refusing) = (Receiver::start().await, Receiver::start().await);
    refusing.set_status(StatusCode::INTERNAL_SERVER_ERROR);
    let test_server = TestServer::open(config(folder.path())).await;
    let catalog = Catalog::built_in();
    let course = catalog.get("course_created").unwrap();
    let events: Vec<_> = ["2026-11-22T08:00:00Z", "2026-11-22T08:00:01Z"]
        .map(|time| catalog.example(course, EventOrigin::Request, time.parse().unwrap()))
        .into();
    let (status, answer) = test_server
        .post("/v1/events", format!("[{}]", events.join(",")))
        .await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    for (name, receiver) in [("taking", &taking), ("refusing", &refusing)] {
        // Both events go in one envelope, so in one attempt.
        let spec = format!(
            r#"{{"name":"{name}","format":"caliper","start":"earliest","events":["course_created"],
                "webhook":{{"url":"{}","batch":10}}}}"#,
            receiver.url()
        );
        let (status, answer) = test_server.post("/v1/subscriptions", spec).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
    }
    page_with(
        &test_server,
        "easel_deliveries_total{subscription=\"taking\"} 2",
    )
    .await;
    let refused = "easel_attempts_total{subscription=\"refusing\",outcome=\"refused\"} 1";
    let page = page_with(&test_server, refused).await;
    for line in [
        "easel_attempts_total{subscription=\"taking\",outcome=\"delivered\"} 1",
        "easel_attempts_total{subscription=\"taking\",outcome=\"refused\"} 0",
        "easel_attempts_total{subscription=\"refusing\",outcome=\"delivered\"} 0",
        "easel_deliveries_total{subscription=\"refusing\"} 0",
    ] {
        assert!(
            page.lines().any(|found| found == line),
            "{line} is not in\n{page}"
        );
    }
    test_server.close().await;
}

/// Runs promtool on `input`. Returns its complaint, or an empty text if it accepts the input; `None` if
/// promtool is missing.
fn promtool(args: &[&str], input: &str) -> Option<String> {
    let Some(promtool) = std::env::var_os("EASEL_TEST_PROMTOOL") else {
        report_missing("promtool, which checks metrics and alert rules; scripts/test installs it");
        return None;
    };
    let mut child = Command::new(promtool)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    Some(if output.status.success() {
        String::new()
    } else {
        format!("failed: {complaint}")
    })
}

#[tokio::test]
async fn promtool_accepts_the_metrics_of_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let test_server = fresh(folder.path()).await;
    let page = page(&test_server).await;
    if let Some(complaint) = promtool(&["check", "metrics"], &page) {
        assert_eq!(complaint, "", "{page}");
    }
    test_server.close().await;
}

/// Returns the alert rules in the operators' manual.
fn rules() -> String {
    let manual = fs::read_to_string(OPERATING).unwrap();
    let block = manual.split("```yaml\ngroups:").nth(1).unwrap();
    format!("groups:{}", block.split("```").next().unwrap())
}

#[test]
fn promtool_accepts_the_alert_rules_of_the_manual() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yml");
    fs::write(&file, rules()).unwrap();
    if let Some(complaint) = promtool(&["check", "rules", file.to_str().unwrap()], "") {
        assert_eq!(complaint, "");
    }
}

#[test]
fn promtool_accepts_the_scrape_configurations_of_the_manual() {
    let manual = fs::read_to_string(OPERATING).unwrap();
    let start = "```yaml\nscrape_configs:";
    let blocks: Vec<_> = manual.split(start).skip(1).collect();
    assert_eq!(blocks.len(), 2);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prometheus.yml");
    for block in blocks {
        let block = block.split("```").next().unwrap();
        fs::write(&file, format!("scrape_configs:{block}")).unwrap();
        // Without this option, promtool looks for the file of the token.
        let args = ["check", "config", "--syntax-only", file.to_str().unwrap()];
        if let Some(complaint) = promtool(&args, "") {
            assert_eq!(complaint, "", "{block}");
        }
    }
}

/// A day with two servers. `a` drops events after 1,000 minutes, `b` almost never. On both servers, a
/// lane is behind by the time since the start. The disk of `a` loses a thousandth of its space each
/// minute.
const DAY: &str = r#"
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: easel_log_max_age_seconds{job="easel", instance="a"}
        values: 60000x1440
      - series: easel_log_max_age_seconds{job="easel", instance="b"}
        values: 1000000000000x1440
      - series: easel_lane_lag_seconds{job="easel", instance="a", subscription="x"}
        values: 0+60x1440
      - series: easel_lane_lag_seconds{job="easel", instance="b", subscription="x"}
        values: 0+60x1440
      - series: easel_dead_letters{job="easel", instance="a", subscription="x"}
        values: 0x100 3x200 0x1000
      - series: easel_dead_letters_total{job="easel", instance="a", subscription="x"}
        values: 0x100 3x100 300x1000
      - series: easel_parked_deliveries{job="easel", instance="a", subscription="x"}
        values: 90000x1000
      - series: easel_disk_size_bytes{job="easel", instance="a"}
        values: 1000000000000x1440
      - series: easel_disk_free_bytes{job="easel", instance="a"}
        values: 1000000000000-1000000000x999
      - series: easel_tls_certificate_expiry_seconds{job="easel", instance="a"}
        values: 1250000x1440
      - series: easel_tls_certificate_expiry_seconds{job="easel", instance="b"}
        values: +Inf+0x1440
      - series: easel_tls_files_failing{job="easel", instance="a"}
        values: 0x100 1x100 0x1240
    alert_rule_test:
      - alertname: EaselDeadLetters
        eval_time: 110m
      - alertname: EaselDeadLetters
        eval_time: 120m
        exp_alerts:
          - exp_labels: {severity: warning, job: easel, instance: a, subscription: x}
            exp_annotations:
              summary: x has 3 dead letters; see easel dead-letters list.
      - alertname: EaselDeadLetters
        eval_time: 400m
      - alertname: EaselManyDeadLetters
        eval_time: 150m
      - alertname: EaselParkedNearlyFull
        eval_time: 10m
        exp_alerts:
          - exp_labels: {severity: critical, job: easel, instance: a, subscription: x}
            exp_annotations:
              summary: x has 90000 parked deliveries; at 100000 it takes no new events.
      - alertname: EaselLaneAboutToLoseEvents
        eval_time: 749m
      - alertname: EaselLaneAboutToLoseEvents
        eval_time: 751m
        exp_alerts:
          - exp_labels: {severity: critical, job: easel, instance: a, subscription: x}
            exp_annotations:
              summary: x is behind by 12h 31m 0s and will begin to lose events.
      - alertname: EaselDiskNearlyFull
        eval_time: 950m
      - alertname: EaselDiskNearlyFull
        eval_time: 957m
        exp_alerts:
          - exp_labels: {severity: critical, job: easel, instance: a}
            exp_annotations:
              summary: 40.05GiB are left on the disk of the data folder.
      - alertname: EaselCertificateExpires
        eval_time: 11h
      - alertname: EaselCertificateExpires
        eval_time: 12h
        exp_alerts:
          - exp_labels: {severity: warning, job: easel, instance: a}
            exp_annotations:
              summary: The certificate of a expires in 13d 23h 13m 20s.
      - alertname: EaselCertificateNotRenewed
        eval_time: 150m
        exp_alerts:
          - exp_labels: {severity: critical, job: easel, instance: a}
            exp_annotations:
              summary: a cannot use its new certificate; easel status says why.
      - alertname: EaselCertificateNotRenewed
        eval_time: 300m
      - alertname: EaselLaneBehind
        eval_time: 5m
"#;

#[test]
fn alerts_fire_when_a_quarter_of_the_time_or_a_twentieth_of_the_disk_is_left() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.yml"), rules()).unwrap();
    let day = folder.path().join("day.yml");
    fs::write(&day, DAY).unwrap();
    if let Some(complaint) = promtool(&["test", "rules", day.to_str().unwrap()], "") {
        assert_eq!(complaint, "");
    }
}

#[test]
fn every_metric_of_the_alert_rules_is_described() {
    let described = described();
    let rules = rules();
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let expressions = rules.lines().filter(|line| line.contains("expr:"));
    let words: BTreeSet<_> = expressions
        .flat_map(|line| line.split(|letter| !is_part(letter)))
        .filter(|word| word.starts_with("easel_"))
        .collect();
    assert!(words.len() >= 8, "{words:?}");
    let unknown: Vec<_> = words
        .into_iter()
        .filter(|word| !described.contains(*word))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
