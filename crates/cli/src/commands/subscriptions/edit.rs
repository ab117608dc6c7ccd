//! `easel subscriptions edit`

use std::io::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use serde_json::{Map, Value};

use super::fields::{CONDITION_KEYS, FieldArgs};
use super::path_of;
use crate::args::GlobalArgs;
use crate::catalog;
use crate::client::{self, Client};
use crate::exit_code::{Code, Failure, OrExit};
use crate::output;

const EXAMPLES: &str = "\
A flag changes its field, and --condition all conditions together. Without flags, the subscription is
opened as JSON in $EDITOR; what is saved is sent. The subscription keeps its place in the log.

Examples:
  easel subscriptions edit grades --webhook https://new.example.edu/hook
  easel subscriptions edit grades --event 'grade_*' --event 'submission_*' --timeout 30s
  EDITOR=nano easel subscriptions edit grades";

/// What a subscription is besides what it asks for.
const STANDING: [&str; 9] = [
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
#[command(after_help = EXAMPLES)]
pub(super) struct EditArgs {
    /// Its name
    name: String,
    /// Endpoint each event is posted to
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    #[command(flatten)]
    fields: FieldArgs,
    /// Editor to use when no other flag is given
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
    /// Changes the subscription; `None` if nothing was to be changed.
    pub(super) async fn run(
        &self,
        client: &Client,
        global: &GlobalArgs,
    ) -> Result<Option<Bytes>, Failure> {
        let path = path_of(&self.name);
        let mut old: Value = client::read(&client.get(&path).await?)?;
        let mut patch = self.fields.json(self.webhook.as_deref());
        if patch.as_object().is_some_and(|it| !it.is_empty()) {
            catalog::warn_of_unmatched(global, client, &self.fields.events).await;
            replace_conditions(&mut patch);
            drop_key(&mut patch);
            return client.patch(&path, &patch).await.map(Some);
        }
        if let Some(members) = old.as_object_mut() {
            members.retain(|name, _| !STANDING.contains(&name.as_str()));
        }
        self.in_editor(client, &path, &old).await
    }

    /// Has the subscription edited as JSON. What is refused is kept in its file.
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
            .context("make a file to edit")
            .or_exit(Code::Unavailable)?;
        writeln!(file, "{old:#}").or_exit(Code::Unavailable)?;
        open_editor(&self.editor, file.path())?;
        let text = std::fs::read_to_string(file.path())
            .context("read the edited file")
            .or_exit(Code::Unavailable)?;
        let sent = match serde_json::from_str(&text) {
            Ok(new) if new == *old => {
                output::talk("nothing was changed");
                return Ok(None);
            }
            Ok(new) => client.patch(path, &difference(old, &new)).await,
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                let told = anyhow!("this is not valid JSON; see line {line}, column {column}");
                Err(Failure::new(Code::BadInput, told))
            }
        };
        if sent.is_err()
            && let Ok((_file, kept)) = file.keep()
        {
            output::talk(format_args!(
                "what was edited is kept in {}",
                kept.display()
            ));
        }
        sent.map(Some)
    }
}

/// Runs an editor, which may be a command with arguments, until it ends.
fn open_editor(editor: &str, file: &Path) -> Result<(), Failure> {
    let ended = Command::new("sh")
        .args(["-c", &format!("{editor} \"$1\""), "easel"])
        .arg(file)
        .status()
        .context("run sh for the editor")
        .or_exit(Code::Unavailable)?;
    if ended.success() {
        return Ok(());
    }
    let told = anyhow!("the editor {editor:?} failed ({ended}); --editor or EDITOR names another");
    Err(Failure::new(Code::Unavailable, told))
}

/// Makes a patch replace all conditions rather than add to them.
fn replace_conditions(patch: &mut Value) {
    let Some(conditions) = patch.get_mut("conditions").and_then(Value::as_object_mut) else {
        return;
    };
    for key in CONDITION_KEYS {
        conditions.entry(key).or_insert(Value::Null);
    }
}

/// Makes a patch that ends the order by key take the key away too.
fn drop_key(patch: &mut Value) {
    let Some(members) = patch.as_object_mut() else {
        return;
    };
    if members.get("order").is_some_and(|order| order == "none") {
        members.entry("key").or_insert(Value::Null);
    }
}

/// The patch (RFC 7396) that makes `new` of `old`.
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
    fn a_difference_has_what_changed_and_null_for_what_is_gone() {
        let old = json!({ "a": 1, "b": { "c": [1], "d": 2 }, "e": "x" });
        let new = json!({ "a": 1, "b": { "c": [2], "f": 3 }, "g": true });
        let wanted = json!({ "b": { "c": [2], "f": 3, "d": null }, "g": true, "e": null });
        assert_eq!(difference(&old, &new), wanted);
        assert_eq!(difference(&old, &old), json!({}));
        assert_eq!(difference(&old, &json!(7)), json!(7));
    }
}
