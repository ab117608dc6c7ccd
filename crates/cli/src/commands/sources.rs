//! `easel sources`

use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::amount::number;
use crate::client::{self, Client, escape};
use crate::exit_code::Failure;
use crate::global_args::GlobalArgs;
use crate::output;
use crate::secret_arg::{SecretArg, SecretReader};

const AFTER_HELP: &str = "\
A source is a system that events come from: a hosted Canvas that sends each event
in a signed request (https), or a queue of Amazon SQS that Easel reads (sqs).

A secret can be `env:NAME` (an environment variable), `file:PATH` or `-` (stdin).
Other users can see the arguments of a command, so use one of these in place of
the secret itself.

Examples:
  easel sources add hosted --root-account 21070000000000001
  easel sources add queue --queue-url https://sqs.eu-west-1.amazonaws.com/1/canvas-live-events
  easel sources list
  easel sources show hosted";

/// Manage the sources of events, such as a hosted Canvas
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct SourcesArgs {
    #[command(subcommand)]
    command: SourcesCommand,
}

#[derive(Debug, Subcommand)]
enum SourcesCommand {
    /// List all sources, with their last event, rate and failures
    List,
    /// Show one source, and where its events must be sent
    Show {
        /// Name of the source
        name: String,
    },
    /// Create a source: of the kind `sqs` with --queue-url, otherwise `https`
    Add(SourceArgs),
    /// Change a source; what has no flag stays as it is
    Edit(SourceArgs),
    /// Remove a source; its events stay
    Remove {
        /// Name of the source
        name: String,
    },
    /// Pause a source: requests are answered with 503, a queue is not read
    Pause {
        /// Name of the source
        name: String,
    },
    /// Resume a paused source
    Resume {
        /// Name of the source
        name: String,
    },
}

#[derive(Debug, clap::Args)]
struct SourceArgs {
    /// Name of the source
    name: String,
    /// Accept only events of this root account, a global id or a UUID; can be repeated
    #[arg(long = "root-account", value_name = "ID")]
    root_accounts: Vec<String>,
    /// https: accept events that are not signed; needs --secret
    #[arg(long, conflicts_with_all = ["jwks_url", "issuer", "queue_url"])]
    unsigned: bool,
    /// https: secret at the end of the path
    #[arg(long, value_name = "SECRET", conflicts_with = "queue_url")]
    secret: Option<SecretArg>,
    /// https: URL of the public keys [default: that of hosted Canvas]
    #[arg(long, value_name = "URL", conflicts_with = "queue_url")]
    jwks_url: Option<String>,
    /// https: issuer of the signatures; `*` accepts every issuer [default: hosted Canvas]
    #[arg(long, value_name = "ISSUER", conflicts_with = "queue_url")]
    issuer: Option<String>,
    /// sqs: URL of the queue
    #[arg(long, value_name = "URL")]
    queue_url: Option<String>,
    /// sqs: AWS region [default: the one in the URL]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// sqs: another address of the service, for emulators and private endpoints
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// sqs: profile of the file of AWS credentials
    #[arg(long, value_name = "PROFILE", conflicts_with = "access_key_id")]
    profile: Option<String>,
    /// sqs: id of a key pair [default: credentials of the server's environment]
    #[arg(long, value_name = "ID")]
    access_key_id: Option<String>,
    /// sqs: secret of the key pair
    #[arg(long, value_name = "SECRET")]
    secret_access_key: Option<SecretArg>,
    /// sqs: token of a temporary key pair
    #[arg(long, value_name = "TOKEN")]
    session_token: Option<SecretArg>,
    /// sqs: number of requests that wait for messages at the same time [default: 2]
    #[arg(long, value_name = "NUMBER")]
    pollers: Option<u8>,
}

#[derive(Deserialize)]
struct SourceListJson {
    sources: Vec<SourceJson>,
}

#[derive(Deserialize)]
struct SourceJson {
    name: String,
    kind: String,
    #[serde(default)]
    root_accounts: Vec<String>,
    signed: Option<bool>,
    secret: Option<String>,
    queue_url: Option<String>,
    state: String,
    origin: String,
    last_event_at: Option<Timestamp>,
    events_per_minute: f64,
    last_day: CountsJson,
    last_failure: Option<FailureJson>,
    unreachable: Option<FailureJson>,
    keys_fetched_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct CountsJson {
    accepted: u64,
    duplicate: u64,
    quarantined: u64,
    failed: u64,
    timed_out: u64,
}

#[derive(Deserialize)]
struct FailureJson {
    at: Timestamp,
    reason: String,
}

/// The members of a source that are its state, not its definition.
const READ_ONLY: [&str; 8] = [
    "state",
    "origin",
    "last_event_at",
    "events_per_minute",
    "last_day",
    "last_failure",
    "unreachable",
    "keys_fetched_at",
];

impl SourcesArgs {
    pub(super) async fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let client = Client::from_args(global)?;
        match self.command {
            SourcesCommand::List => {
                let answer = client.get("/v1/sources").await?;
                if global.json {
                    return output::with_line_break(&answer);
                }
                let SourceListJson { sources } = client::read(&answer)?;
                let rows: Vec<_> = sources.into_iter().map(SourceJson::row).collect();
                let heads = [
                    "NAME",
                    "KIND",
                    "STATE",
                    "LAST EVENT",
                    "PER MIN",
                    "EVENTS 24 H",
                    "FAILED 24 H",
                ];
                output::table(heads, &rows)
            }
            SourcesCommand::Show { name } => {
                let answer = client.get(&path(&name)).await?;
                if global.json {
                    return output::with_line_break(&answer);
                }
                let source: SourceJson = client::read(&answer)?;
                source.print(&client)
            }
            SourcesCommand::Add(args) => {
                let mut definition = Map::new();
                let name = args.name.clone();
                args.apply(&mut definition)?;
                let kind = definition.entry("kind");
                kind.or_insert_with(|| "https".into());
                let definition = Value::Object(definition);
                let answer = client.post("/v1/sources", Some(&definition)).await?;
                if global.json {
                    return output::with_line_break(&answer);
                }
                output::notice(format_args!("added source {name}"));
                let source: SourceJson = client::read(&answer)?;
                source.print(&client)
            }
            SourcesCommand::Edit(args) => {
                let name = args.name.clone();
                let current = client.get(&path(&name)).await?;
                let mut definition: Map<String, Value> = client::read(&current)?;
                definition.retain(|member, _value| !READ_ONLY.contains(&member.as_str()));
                args.apply(&mut definition)?;
                let definition = Value::Object(definition);
                let answer = client.put(&path(&name), &definition).await?;
                if global.json {
                    return output::with_line_break(&answer);
                }
                output::notice(format_args!("changed source {name}"));
                Ok(())
            }
            SourcesCommand::Remove { name } => {
                client.remove(&path(&name)).await?;
                if global.json {
                    return output::line(serde_json::json!({ "removed": name }));
                }
                output::notice(format_args!("removed source {name}"));
                Ok(())
            }
            SourcesCommand::Pause { name } => set_state(&client, &name, "pause", global).await,
            SourcesCommand::Resume { name } => set_state(&client, &name, "resume", global).await,
        }
    }
}

async fn set_state(
    client: &Client,
    name: &str,
    action: &str,
    global: &GlobalArgs,
) -> Result<(), Failure> {
    let answer = client
        .post(&format!("{}/{action}", path(name)), None)
        .await?;
    if global.json {
        return output::with_line_break(&answer);
    }
    let source: SourceJson = client::read(&answer)?;
    output::notice(format_args!("source {name} is {}", source.state));
    Ok(())
}

fn path(name: &str) -> String {
    format!("/v1/sources/{}", escape(name))
}

impl SourceArgs {
    /// Writes the flags into a definition. What has no flag stays.
    fn apply(self, definition: &mut Map<String, Value>) -> Result<(), Failure> {
        let mut reader = SecretReader::default();
        let secrets = [
            ("secret", "--secret", self.secret),
            (
                "secret_access_key",
                "--secret-access-key",
                self.secret_access_key,
            ),
            ("session_token", "--session-token", self.session_token),
        ];
        definition.insert("name".to_owned(), self.name.into());
        if self.queue_url.is_some() {
            definition.insert("kind".to_owned(), "sqs".into());
        }
        if !self.root_accounts.is_empty() {
            definition.insert("root_accounts".to_owned(), self.root_accounts.into());
        }
        if self.unsigned {
            definition.insert("signed".to_owned(), false.into());
            definition.remove("jwks_url");
            definition.remove("issuer");
        } else if self.jwks_url.is_some() || self.issuer.is_some() {
            definition.insert("signed".to_owned(), true.into());
        }
        if self.profile.is_some() {
            for member in ["access_key_id", "secret_access_key", "session_token"] {
                definition.remove(member);
            }
        } else if self.access_key_id.is_some() {
            definition.remove("profile");
        }
        let texts = [
            ("jwks_url", self.jwks_url),
            ("issuer", self.issuer),
            ("queue_url", self.queue_url),
            ("region", self.region),
            ("endpoint_url", self.endpoint_url),
            ("profile", self.profile),
            ("access_key_id", self.access_key_id),
        ];
        for (member, text) in texts {
            if let Some(text) = text {
                definition.insert(member.to_owned(), text.into());
            }
        }
        if let Some(pollers) = self.pollers {
            definition.insert("pollers".to_owned(), pollers.into());
        }
        for (member, flag, secret) in secrets {
            if let Some(secret) = secret {
                let secret = reader.read(flag, &secret)?;
                definition.insert(member.to_owned(), secret.expose().clone().into());
            }
        }
        Ok(())
    }
}

impl SourceJson {
    fn row(self) -> [String; 7] {
        let now = Timestamp::now();
        let CountsJson {
            accepted,
            duplicate,
            failed,
            timed_out,
            ..
        } = self.last_day;
        let state = match self.unreachable {
            Some(_) if self.state == "active" => "unreachable".to_owned(),
            Some(_) | None => self.state,
        };
        [
            self.name,
            self.kind,
            state,
            self.last_event_at
                .map_or("never".to_owned(), |at| ago(now.duration_since(at))),
            format!("{:.1}", self.events_per_minute),
            number(accepted + duplicate),
            number(failed + timed_out),
        ]
    }

    fn print(self, client: &Client) -> Result<(), Failure> {
        let time = |at: Option<Timestamp>| at.map_or("never".to_owned(), |at| format!("{at:.0}"));
        let failure = |failure: Option<FailureJson>| {
            failure.map_or("none".to_owned(), |failure| {
                format!("{:.0}: {}", failure.at, failure.reason)
            })
        };
        let CountsJson {
            accepted,
            duplicate,
            quarantined,
            failed,
            timed_out,
        } = self.last_day;
        let last_day = format!(
            "{} accepted, {} duplicates, {} quarantined, {} failed, {} timed out",
            number(accepted),
            number(duplicate),
            number(quarantined),
            number(failed),
            number(timed_out)
        );
        let accounts = match self.root_accounts.as_slice() {
            [] => "all".to_owned(),
            accounts => accounts.join(", "),
        };
        let mut fields = vec![
            ("name", self.name.clone()),
            ("kind", self.kind),
            ("state", self.state),
            ("origin", self.origin),
            ("root accounts", accounts),
        ];
        if let Some(queue_url) = self.queue_url {
            fields.push(("queue", queue_url));
            fields.push(("unreachable", failure(self.unreachable)));
        } else {
            let secret = if self.secret.is_some() { "/SECRET" } else { "" };
            let url = format!("{}/v1/hooks/{}{secret}", client.url(), self.name);
            let signed = if self.signed == Some(false) {
                "no"
            } else {
                "yes"
            };
            fields.push(("url", url));
            fields.push(("signed", signed.to_owned()));
            fields.push(("keys fetched", time(self.keys_fetched_at)));
        }
        fields.push(("last event", time(self.last_event_at)));
        fields.push((
            "events per minute",
            format!("{:.1}", self.events_per_minute),
        ));
        fields.push(("last 24 hours", last_day));
        fields.push(("last failure", failure(self.last_failure)));
        output::fields(&fields)
    }
}

/// Formats a past moment in one unit.
fn ago(time: SignedDuration) -> String {
    let seconds = std::cmp::max(time.as_secs(), 0);
    match seconds {
        ..120 => format!("{seconds} s ago"),
        120..7_200 => format!("{} min ago", seconds / 60),
        7_200..259_200 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}
