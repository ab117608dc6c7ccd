//! `easel tokens`

mod token_args;

use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use easel_catalog::Reach;
use easel_keys::Secret;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::client::{self, Client, escape};
use crate::exit_code::Failure;
use crate::global_args::GlobalArgs;
use crate::output;
use token_args::{ByteLimit, Expiry, RequestLimit, parse_overlap};

const AFTER_HELP: &str = "\
Examples:
  easel tokens create canvas --scope ingest
  easel tokens create dashboards --scope read --expires-in 90d
  easel tokens create vendor --scope read --reach root_account:21070000000000001
  easel tokens rotate 3kD9xQ0a --overlap 7d
  easel tokens edit 3kD9xQ0a --expires-in off
  easel tokens remove 3kD9xQ0a";

/// Manage access tokens
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct TokensArgs {
    #[command(subcommand)]
    command: TokensCommand,
}

#[derive(Debug, Subcommand)]
enum TokensCommand {
    /// Create a token and print it, only this once; the server stores only its hash
    Create {
        /// Name of the token
        name: String,
        /// Permission of the token; can be repeated
        #[arg(
            long = "scope",
            value_name = "SCOPE",
            required = true,
            value_parser = PossibleValuesParser::new(easel_access::Scope::ALL.map(|scope| scope.as_str()))
        )]
        scopes: Vec<String>,
        /// What the token may see and change: `*` for everything, or `root_account:` and the account's global id
        /// or UUID [default: that of the caller]
        #[arg(long)]
        reach: Option<Reach>,
        #[command(flatten)]
        terms: TermArgs,
    },
    /// List all tokens
    List,
    /// Give a token another name
    Rename {
        /// Id of the token, as listed
        id: String,
        /// New name of the token
        name: String,
    },
    /// Change the expiry or the limits of a token
    Edit {
        /// Id of the token, as listed
        id: String,
        #[command(flatten)]
        terms: TermArgs,
    },
    /// Give a token a new secret and print it, only this once; the old one works until the overlap is over
    Rotate {
        /// Id of the token, as listed
        id: String,
        /// How long the old secret works, at most 90d; with 0s it is rejected at once
        #[arg(long, default_value = "24h", value_parser = parse_overlap)]
        overlap: String,
    },
    /// Remove a token; requests with it are rejected from then on
    Remove {
        /// Id of the token, as listed
        id: String,
    },
}

/// The terms on which a token is used.
#[derive(Debug, clap::Args)]
struct TermArgs {
    /// The token is rejected after this time, such as 90d, or `off`
    #[arg(long, value_name = "TIME")]
    expires_in: Option<Expiry>,
    /// Most requests each second, or `off`
    #[arg(long, value_name = "NUMBER")]
    max_requests_per_second: Option<RequestLimit>,
    /// Most bytes of request bodies each second, such as 1MiB, or `off`
    #[arg(long, value_name = "SIZE")]
    max_bytes_per_second: Option<ByteLimit>,
}

#[derive(Deserialize)]
struct TokensJson {
    tokens: Vec<TokenJson>,
}

#[derive(Deserialize)]
struct TokenJson {
    id: String,
    name: String,
    scopes: Vec<String>,
    reach: String,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct CreatedJson {
    id: String,
    token: Secret<String>,
}

impl TokensArgs {
    pub(super) async fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let client = Client::from_args(global)?;
        match self.command {
            TokensCommand::Create {
                name,
                scopes,
                reach,
                terms,
            } => {
                let mut body = terms.into_json();
                body.insert("name".to_owned(), name.into());
                body.insert("scopes".to_owned(), scopes.into());
                if let Some(reach) = reach {
                    body.insert("reach".to_owned(), reach.to_string().into());
                }
                let answer = client.post("/v1/tokens", Some(&body.into())).await?;
                show_secret(&answer, global)
            }
            TokensCommand::List => {
                let answer = client.get("/v1/tokens").await?;
                if global.json {
                    return output::with_line_break(&answer);
                }
                let TokensJson { tokens } = client::read(&answer)?;
                let rows = tokens.into_iter().map(TokenJson::row).collect::<Vec<_>>();
                let heads = ["ID", "NAME", "SCOPES", "REACH", "EXPIRES", "LAST USE"];
                output::table(heads, &rows)
            }
            TokensCommand::Rename { id, name } => {
                let body = json!({ "name": name });
                let answer = client.patch(&path_of(&id), &body).await?;
                show_change(&answer, global)
            }
            TokensCommand::Edit { id, terms } => {
                let body = terms.into_json().into();
                let answer = client.patch(&path_of(&id), &body).await?;
                show_change(&answer, global)
            }
            TokensCommand::Rotate { id, overlap } => {
                let path = format!("{}/rotate", path_of(&id));
                let body = json!({ "overlap": overlap });
                let answer = client.post(&path, Some(&body)).await?;
                show_secret(&answer, global)
            }
            TokensCommand::Remove { id } => {
                client.remove(&path_of(&id)).await?;
                if global.json {
                    return output::line(json!({ "removed": id }));
                }
                output::notice(format_args!("removed token {id}"));
                Ok(())
            }
        }
    }
}

fn path_of(id: &str) -> String {
    format!("/v1/tokens/{}", escape(id))
}

fn show_secret(answer: &[u8], global: &GlobalArgs) -> Result<(), Failure> {
    if global.json {
        return output::with_line_break(answer);
    }
    let CreatedJson { id, token } = client::read(answer)?;
    output::notice(format_args!("token {id}, shown only now:"));
    output::line(token.expose())
}

fn show_change(answer: &[u8], global: &GlobalArgs) -> Result<(), Failure> {
    if global.json {
        return output::with_line_break(answer);
    }
    let TokenJson { id, name, .. } = client::read(answer)?;
    output::notice(format_args!("changed token {id}, {name}"));
    Ok(())
}

impl TermArgs {
    fn into_json(self) -> Map<String, Value> {
        let members = [
            ("expires_at", self.expires_in.map(Expiry::into_json)),
            (
                "max_requests_per_second",
                self.max_requests_per_second.map(RequestLimit::into_json),
            ),
            (
                "max_bytes_per_second",
                self.max_bytes_per_second.map(ByteLimit::into_json),
            ),
        ];
        let members = members.into_iter();
        members
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
    }
}

impl TokenJson {
    fn row(self) -> [String; 6] {
        // A narrow terminal can break the line between date and time.
        let shown = |time: Option<Timestamp>| {
            time.map_or_else(
                || "never".to_owned(),
                |time| time.strftime("%F %RZ").to_string(),
            )
        };
        let reach = self.reach.trim_start_matches("root_account:").to_owned();
        [
            self.id,
            self.name,
            self.scopes.join(" "),
            reach,
            shown(self.expires_at),
            shown(self.last_used_at),
        ]
    }
}
