//! Tests of the consumers in `docs/building-a-consumer.md` with `easel listen`.

use std::ffi::OsStr;
use std::fs;
use std::io::BufReader;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use easel_testkit::report_missing;
use serde_json::Value;
use tempfile::tempdir;

use crate::listener::Listener;
use crate::running::{Running, lines_of};

const GUIDE: &str = include_str!("../../../../docs/building-a-consumer.md");

const TIMEOUT: Duration = Duration::from_secs(30);

/// A consumer of the guide in its own process, killed on drop.
struct Consumer {
    child: Child,
    lines: Receiver<String>,
}

impl Consumer {
    /// Starts the code of the guide in `language`. Returns `None` if its interpreter is missing.
    fn start(folder: &Path, language: &str, file: &str, program: &OsStr) -> Option<Self> {
        fs::write(folder.join(file), code(language)).unwrap();
        let started = Command::new(program)
            .args([file, "0"])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = started else {
            report_missing(&format!(
                "the consumer in {language}; {} is missing",
                program.display()
            ));
            return None;
        };
        let lines = lines_of(BufReader::new(child.stdout.take().unwrap()));
        Some(Self { child, lines })
    }

    #[track_caller]
    fn line(&self) -> String {
        self.lines.recv_timeout(TIMEOUT).unwrap()
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Returns the only code block of the guide in this language.
fn code(language: &str) -> &'static str {
    let (_before, rest) = GUIDE.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

#[track_caller]
fn check(language: &str, file: &str, program: &OsStr) {
    let folder = tempdir().unwrap();
    let Some(consumer) = Consumer::start(folder.path(), language, file, program) else {
        return;
    };
    let url = consumer.line();
    let url = url.strip_prefix("listening on ").unwrap();
    let running = Running::start(&folder.path().join("data"));
    let mut listener = Listener::start(&running, url, &[]);
    running
        .easel(&["emit", "course_created", "--set", "name=Bøker"])
        .stdout();
    let line = consumer.line();
    let (event_type, event) = line.split_once(' ').unwrap();
    let event: Value = serde_json::from_str(event).unwrap();
    assert_eq!(
        (event_type, &event["body"]["name"]),
        ("course_created", &"Bøker".into())
    );
    assert_eq!(listener.answer(), "course_created -> 204 ms");

    listener.type_in("r\n");
    let stored: Value = serde_json::from_str(&running.easel(&["tail", "--json"]).stdout()).unwrap();
    let again = format!("again {}", stored["id"].as_str().unwrap());
    assert_eq!(consumer.line(), again);
    assert_eq!(listener.answer(), "course_created -> 204 ms (attempt 2)");

    running.easel(&["emit", "grade_change"]).stdout();
    assert!(consumer.line().starts_with("grade_change "));
    assert_eq!(listener.answer(), "grade_change -> 204 ms");
}

#[test]
fn the_python_consumer_of_the_guide_receives_events_and_detects_duplicates() {
    let program = std::env::var_os("EASEL_TEST_PYTHON");
    let program = program.unwrap_or_else(|| "python3".into());
    check("python", "consumer.py", &program);
}

#[test]
fn the_node_consumer_of_the_guide_receives_events_and_detects_duplicates() {
    check("js", "consumer.mjs", OsStr::new("node"));
}
