//! `easel subscriptions edit`

use std::io::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use serde_json::{Map, Value};

use super::fields::{CONDITION_KEYS, FieldArgs};
use super::security::{SecurityArgs, replace_alternatives, show_new_secret};
use super::sql_args::SqlArgs;
use super::sqs_args::{ReplacedCredentials, SqsArgs};
use super::subscription_path;
use crate::catalog;
use crate::client::{self, Client};
use crate::exit_code::{Code, Failure, OrExit};
use crate::global_args::GlobalArgs;
use crate::output;
use crate::secret_arg::{SecretArg, SecretReader};

const AFTER_HELP: &str = "\
A field without a flag stays as it is. --event, --condition and --secret replace
the whole list. --header adds a header, or replaces the header of this name.
Without flags, the subscription is opened as JSON in $EDITOR, and the saved text
is sent. The subscription keeps its cursor.

Secrets are never shown: `…` stands for a secret, and for the secret parts of a
URL. It keeps the secret at this place. A secret, and the URL of --webhook,
--sql or --sqs, can be `env:NAME` (an environment variable), `file:PATH` or `-` (stdin). Other users
can see the arguments of a command, so use one of these in place of the secret
itself.

Examples:
  easel subscriptions edit grades --webhook https://new.example.edu/hook
  easel subscriptions edit grades --webhook file:/run/secrets/grades-url
  easel subscriptions edit grades --event 'grade_*' --event 'submission_*'
  easel subscriptions edit grades --sign jwt
  easel subscriptions edit grades --sign standard --secret … --secret env:NEW
  EDITOR=nano easel subscriptions edit grades";

/// The read-only members of a subscription.
const READ_ONLY: [&str; 12] = [
    "address_guard",
    "full_name",
    "reach",
    "state",
    "reason",
    "held_since",
    "holding_until",
    "origin",
    "created_at",
    "balance",
    "attempts",
    "parked",
];

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct EditArgs {
    /// Name of the subscription
    name: String,
    /// URL of the endpoint that receives the events. Its query is a secret
    #[arg(long, value_name = "URL")]
    webhook: Option<SecretArg>,
    #[command(flatten)]
    sql: SqlArgs,
    #[command(flatten)]
    sqs: SqsArgs,
    #[command(flatten)]
    fields: FieldArgs,
    #[command(flatten)]
    security: SecurityArgs,
    /// Editor to use if no other flag is given
    #[arg(
        long,
        value_name = "COMMAND",
        env = "EDITOR",
        default_value = "vi",
        hide_env_values = true
    )]
    editor: String,
}

impl EditArgs {
    /// Changes the subscription. Returns `None` if there was no change.
    pub(super) async fn run(
        &self,
        client: &Client,
        global: &GlobalArgs,
    ) -> Result<Option<Bytes>, Failure> {
        let path = subscription_path(&self.name);
        let mut old: Value = client::read(&client.get(&path).await?)?;
        let mut reader = SecretReader::default();
        let url = self.webhook.as_ref();
        let url = url.map(|url| reader.read("--webhook", url)).transpose()?;
        let url = url.as_ref().map(|url| url.expose().as_str());
        let mut patch = self.fields.json(url);
        self.sql.add_to(&mut patch, &mut reader)?;
        self.sqs
            .add_to(&mut patch, &mut reader, ReplacedCredentials::Removed)?;
        let new_secret = self.security.add_to(&mut patch, &mut reader)?;
        if patch.as_object().is_some_and(|members| !members.is_empty()) {
            catalog::warn_of_unmatched(global, client, &self.fields.events).await;
            replace_conditions(&mut patch);
            remove_key(&mut patch);
            remove_other_sink(&mut patch);
            replace_alternatives(&mut patch);
            let answer = client.patch(&path, &patch).await?;
            return show_new_secret(answer, new_secret, global).map(Some);
        }
        if let Some(members) = old.as_object_mut() {
            members.retain(|name, _| !READ_ONLY.contains(&name.as_str()));
        }
        self.in_editor(client, &path, &old).await
    }

    /// Opens the subscription as JSON in the editor. If the result is rejected, the file is kept.
    async fn in_editor(
        &self,
        client: &Client,
        path: &str,
        old: &Value,
    ) -> Result<Option<Bytes>, Failure> {
        let mut file = tempfile::Builder::new()
            .prefix("easel-subscription-")
            .suffix(".json")
            .tempfile()
            .context("failed to create a file to edit")
            .or_exit(Code::Unavailable)?;
        writeln!(file, "{old:#}").or_exit(Code::Unavailable)?;
        open_editor(&self.editor, file.path())?;
        let text = std::fs::read_to_string(file.path())
            .context("failed to read the edited file")
            .or_exit(Code::Unavailable)?;
        let result = match serde_json::from_str(&text) {
            Ok(new) if new == *old => {
                output::notice("nothing was changed");
                return Ok(None);
            }
            Ok(new) => client.patch(path, &difference(old, &new)).await,
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                let error = anyhow!("the JSON is invalid at line {line}, column {column}");
                Err(Failure::new(Code::BadInput, error))
            }
        };
        if result.is_err()
            && let Ok((_file, path)) = file.keep()
        {
            output::notice(format_args!(
                "the edited text is in {}; it may contain secrets, so remove the file afterwards",
                path.display()
            ));
        }
        result.map(Some)
    }
}

/// Runs an editor until it ends. The editor may be a command with arguments.
fn open_editor(editor: &str, file: &Path) -> Result<(), Failure> {
    let ended = Command::new("sh")
        .args(["-c", &format!("{editor} \"$1\""), "easel"])
        .arg(file)
        .status()
        .context("failed to run sh for the editor")
        .or_exit(Code::Unavailable)?;
    if ended.success() {
        return Ok(());
    }
    let error =
        anyhow!("the editor {editor:?} failed ({ended}); set another with --editor or EDITOR");
    Err(Failure::new(Code::Unavailable, error))
}

/// Makes a patch replace all conditions: keys without a value become `null`.
fn replace_conditions(patch: &mut Value) {
    let Some(conditions) = patch.get_mut("conditions").and_then(Value::as_object_mut) else {
        return;
    };
    for key in CONDITION_KEYS {
        conditions.entry(key).or_insert(Value::Null);
    }
}

/// Makes a patch with `order: none` also remove the key.
fn remove_key(patch: &mut Value) {
    let Some(members) = patch.as_object_mut() else {
        return;
    };
    if members.get("order").is_some_and(|order| order == "none") {
        members.entry("key").or_insert(Value::Null);
    }
}

/// Makes a patch with the URL of one kind of sink remove the other kinds.
fn remove_other_sink(patch: &mut Value) {
    const SINKS: [(&str, &str); 3] = [("webhook", "url"), ("sql", "url"), ("sqs", "queue_url")];
    let Some(members) = patch.as_object_mut() else {
        return;
    };
    let with_url = SINKS.iter().find(|(sink, url)| {
        let sink = members.get(*sink);
        sink.is_some_and(|sink| sink.get(*url).is_some())
    });
    if let Some((sink, _url)) = with_url {
        let others = SINKS.iter().filter(|(other, _url)| other != sink);
        members.extend(others.map(|(other, _url)| ((*other).to_owned(), Value::Null)));
    }
}

/// Returns the merge patch (RFC 7396) that changes `old` to `new`.
fn difference(old: &Value, new: &Value) -> Value {
    let (Some(old), Some(members)) = (old.as_object(), new.as_object()) else {
        return new.clone();
    };
    let mut patch = Map::new();
    for (name, value) in members {
        match old.get(name) {
            Some(same) if same == value => (),
            Some(other) => {
                patch.insert(name.clone(), difference(other, value));
            }
            None => {
                patch.insert(name.clone(), value.clone());
            }
        }
    }
    for name in old.keys().filter(|name| !members.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    Value::Object(patch)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_has_changed_members_and_null_for_removed_ones() {
        let old = json!({ "a": 1, "b": { "c": [1], "d": 2 }, "e": "x" });
        let new = json!({ "a": 1, "b": { "c": [2], "f": 3 }, "g": true });
        let wanted = json!({ "b": { "c": [2], "f": 3, "d": null }, "g": true, "e": null });
        assert_eq!(difference(&old, &new), wanted);
        assert_eq!(difference(&old, &old), json!({}));
        assert_eq!(difference(&old, &json!(7)), json!(7));
    }
}
