//! `easel tokens`

use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use easel_keys::Secret;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use crate::client::{self, Client, escape};
use crate::exit_code::Failure;
use crate::global_args::GlobalArgs;
use crate::output;

const AFTER_HELP: &str = "\
Examples:
  easel tokens create canvas --scope ingest
  easel tokens create dashboards --scope read
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
    },
    /// List all tokens
    List,
    /// Remove a token; requests with it are rejected from then on
    Remove {
        /// Id of the token, as listed
        id: String,
    },
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
    created_at: Timestamp,
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
            TokensCommand::Create { name, scopes } => {
                let body = json!({ "name": name, "scopes": scopes });
                let answer = client.post("/v1/tokens", Some(&body)).await?;
                if global.json {
                    return output::with_line_break(&answer);
                }
                let CreatedJson { id, token } = client::read(&answer)?;
                output::notice(format_args!("token {id}, shown only now:"));
                output::line(token.expose())
            }
            TokensCommand::List => {
                let answer = client.get("/v1/tokens").await?;
                if global.json {
                    return output::with_line_break(&answer);
                }
                let TokensJson { tokens } = client::read(&answer)?;
                let rows = tokens.into_iter().map(TokenJson::row).collect::<Vec<_>>();
                output::table(["ID", "NAME", "SCOPES", "CREATED"], &rows)
            }
            TokensCommand::Remove { id } => {
                client
                    .remove(&format!("/v1/tokens/{}", escape(&id)))
                    .await?;
                if global.json {
                    return output::line(json!({ "removed": id }));
                }
                output::notice(format_args!("removed token {id}"));
                Ok(())
            }
        }
    }
}

impl TokenJson {
    fn row(self) -> [String; 4] {
        [
            self.id,
            self.name,
            self.scopes.join(" "),
            format!("{:.0}", self.created_at),
        ]
    }
}
