//! The receivers of `docs/verifying.md`, each in its own process.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::BufReader;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use bytes::Bytes;
use easel_testkit::report_missing;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tempfile::TempDir;

use crate::running::lines_of;

const PAGE: &str = include_str!("../../../../../docs/verifying.md");

const TIMEOUT: Duration = Duration::from_secs(30);

/// A server for the two classes in Ruby, because Ruby has no HTTP server.
const RUBY_RECEIVER: &str = r#"
require "socket"
require "./#{ENV.fetch("VERIFY")}"

verifier =
  if ENV.fetch("VERIFY") == "verify_jwt"
    JwtVerifier.new(ENV.fetch("JWKS_URL"), ENV.fetch("JWT_ISSUER"))
  else
    StandardVerifier.new(ENV.fetch("WEBHOOK_SECRET"))
  end
$stdout.sync = true
server = TCPServer.new("127.0.0.1", 0)
puts "listening on http://127.0.0.1:#{server.addr[1]}"
loop do
  Thread.start(server.accept) do |client|
    client.gets
    headers = {}
    while (line = client.gets.chomp) != ""
      name, value = line.split(": ", 2)
      headers[name.downcase] = value
    end
    body = client.read(Integer(headers.fetch("content-length")))
    begin
      id, event = verifier.verify(headers, body)
      puts "accepted: #{id} #{JSON.generate(event)}"
      status = "204 No Content"
    rescue => error
      # A message can have a second line with a suggestion.
      puts "refused: #{error.message.lines.first}"
      status = "401 Unauthorized"
    end
    client.write("HTTP/1.1 #{status}\r\nconnection: close\r\n\r\n")
    client.close
  end
end
"#;

/// A language with examples that can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Python,
    Node,
    Ruby,
}

/// What an example verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Jwt,
    Standard,
    /// Standard Webhooks with a public key.
    PublicKey,
}

impl Language {
    /// Returns the language of the code blocks.
    const fn fence(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "javascript",
            Self::Ruby => "ruby",
        }
    }

    /// Returns the file with the function `verify`, without its extension.
    fn module(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Self::Node, Kind::Jwt) => "verify-jwt",
            (Self::Node, Kind::Standard) => "verify-standard",
            (Self::Node, Kind::PublicKey) => "verify-v1a",
            (Self::Python | Self::Ruby, Kind::Jwt) => "verify_jwt",
            (Self::Python | Self::Ruby, Kind::Standard) => "verify_standard",
            (Self::Python, Kind::PublicKey) => "verify_v1a",
            (Self::Ruby, Kind::PublicKey) => panic!("the page has no such example"),
        }
    }

    /// Returns the interpreter, and prepares the folder for it. Returns `None` if something is missing.
    fn program(self, folder: &Path) -> Option<OsString> {
        match self {
            Self::Python => std::env::var_os("EASEL_TEST_PYTHON"),
            Self::Node => {
                let modules = std::env::var_os("EASEL_TEST_NODE_MODULES")?;
                symlink(modules, folder.join("node_modules")).unwrap();
                Some("node".into())
            }
            Self::Ruby => Some("ruby".into()),
        }
    }

    const fn receiver(self) -> &'static str {
        match self {
            Self::Python => "receiver.py",
            Self::Node => "receiver.mjs",
            Self::Ruby => "receiver.rb",
        }
    }
}

/// Returns the files of the page in a language. The first line of a block has the name of its file.
pub(super) fn files(language: Language) -> BTreeMap<&'static str, String> {
    let fence = format!("```{}\n", language.fence());
    let blocks = PAGE.split(&fence).skip(1);
    let code = blocks.map(|block| block.split_once("```").unwrap().0);
    code.map(|code| {
        let first = code.lines().next().unwrap();
        let name = first.split_whitespace().nth(1).unwrap();
        (name.trim_end_matches(':'), code.to_owned())
    })
    .collect()
}

/// Replaces a part of an example that must be there.
#[track_caller]
pub(super) fn replaced(code: &str, part: &str, replacement: &str) -> String {
    assert!(code.contains(part), "{part:?} is not in the example");
    code.replace(part, replacement)
}

/// A receiver of the page in its own process, killed on drop.
pub(super) struct Example {
    child: Child,
    lines: Receiver<String>,
    url: String,
    _folder: TempDir,
}

/// The result of a request to an example.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    Accepted { id: String, event: Value },
    Refused { reason: String },
}

impl Example {
    /// Starts an example with more environment variables. `change` may change its files. Returns `None` if
    /// the interpreter or a library is missing.
    pub(super) fn start(
        language: Language,
        kind: Kind,
        variables: &[(&str, &str)],
        change: impl Fn(&str, String) -> String,
    ) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let module = language.module(kind);
        let missing = || {
            report_missing(&format!(
                "the receivers in {language:?}; scripts/test installs what they need"
            ));
            None
        };
        let Some(program) = language.program(folder.path()) else {
            return missing();
        };
        for (name, code) in files(language) {
            let code = match name {
                "receiver.py" => replaced(&code, "from verify_jwt ", &format!("from {module} ")),
                "receiver.mjs" => replaced(
                    &code,
                    "\"./verify-jwt.mjs\"",
                    &format!("\"./{module}.mjs\""),
                ),
                _ => code,
            };
            fs::write(folder.path().join(name), change(name, code)).unwrap();
        }
        if language == Language::Ruby {
            fs::write(folder.path().join("receiver.rb"), RUBY_RECEIVER).unwrap();
        }
        let started = Command::new(program)
            .args([language.receiver(), "0"])
            .current_dir(folder.path())
            .env("VERIFY", module)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = started else {
            return missing();
        };
        let lines = lines_of(BufReader::new(child.stdout.take().unwrap()));
        let url = lines.recv_timeout(TIMEOUT).unwrap();
        let url = url.strip_prefix("listening on ").unwrap().to_owned();
        Some(Self {
            child,
            lines,
            url,
            _folder: folder,
        })
    }

    /// Returns the address of the example.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Returns what the example printed about the next request.
    #[track_caller]
    pub(super) fn verdict(&self) -> Verdict {
        let line = self.lines.recv_timeout(TIMEOUT).unwrap();
        if let Some(reason) = line.strip_prefix("refused: ") {
            let reason = reason.to_owned();
            return Verdict::Refused { reason };
        }
        let accepted = line.strip_prefix("accepted: ").unwrap();
        let (id, event) = accepted.split_once(' ').unwrap();
        Verdict::Accepted {
            id: id.to_owned(),
            event: serde_json::from_str(event).unwrap(),
        }
    }

    /// Sends a request with the signed headers and a body. Returns the verdict.
    pub(super) async fn post(&self, headers: &HeaderMap, body: impl Into<Bytes>) -> Verdict {
        let mut request = Request::builder().method(Method::POST).uri(&self.url);
        let is_signed = |name: &str| name.starts_with("webhook-") || name == "content-type";
        for (name, value) in headers {
            if is_signed(name.as_str()) {
                request = request.header(name, value);
            }
        }
        let client = Client::builder(TokioExecutor::new()).build_http();
        let request = request.body(Full::new(body.into())).unwrap();
        let status = client.request(request).await.unwrap().status();
        let verdict = self.verdict();
        let wanted = match verdict {
            Verdict::Accepted { .. } => StatusCode::NO_CONTENT,
            Verdict::Refused { .. } => StatusCode::UNAUTHORIZED,
        };
        assert_eq!(status, wanted, "{verdict:?}");
        verdict
    }

    /// Checks that the example accepts a request with this event.
    pub(super) async fn accepts(&self, headers: &HeaderMap, body: &Bytes, event: &Value) {
        let accepted = Verdict::Accepted {
            id: headers["webhook-id"].to_str().unwrap().to_owned(),
            event: event.clone(),
        };
        assert_eq!(self.post(headers, body.clone()).await, accepted);
    }

    /// Checks that the example refuses a request.
    pub(super) async fn refuses(&self, what: &str, headers: &HeaderMap, body: impl Into<Bytes>) {
        let verdict = self.post(headers, body).await;
        assert!(
            matches!(verdict, Verdict::Refused { .. }),
            "{what}: {verdict:?}"
        );
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
