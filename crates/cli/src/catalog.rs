//! Loads the catalogue that the settings configure, and writes messages for unknown event types.

use easel_catalog::{Catalog, OperatorEvent};
use easel_server::{EventGlob, load_catalog};
use serde::Deserialize;
use serde_json::Value;

use crate::client::{self, Client, escape};
use crate::exit_code::Failure;
use crate::global_args::GlobalArgs;
use crate::output;
use crate::settings::{Settings, nearest};

/// Loads the built-in catalogue and the operator's own files, which override it.
pub(crate) fn load(global: &GlobalArgs) -> Result<Catalog, Failure> {
    let settings = Settings::load(global, &[])?;
    Ok(load_catalog(settings.config.catalog.folder.as_deref())?)
}

/// Returns a message for an unknown event type, with the nearest known name.
pub(crate) fn unknown_type_message(catalog: &Catalog, name: &str) -> String {
    let names = catalog.types().iter().map(|event_type| event_type.name);
    match nearest(name, names) {
        Some(near) => format!("the catalogue has no event type {name:?}; did you mean {near}?"),
        None => format!("the catalogue has no event type {name:?}"),
    }
}

#[derive(Deserialize)]
struct EventTypeListJson {
    event_types: Vec<Value>,
}

/// Warns about each `--event` glob that matches nothing: no operator event, and no event type of the
/// catalogue on this machine or of the server. Such a glob is not an error, because a release of Canvas can
/// add event types.
pub(crate) async fn warn_of_unmatched<'a>(
    global: &GlobalArgs,
    client: &Client,
    globs: impl IntoIterator<Item = &'a String>,
) {
    // Invalid settings on this machine must not stop a command for another server.
    let catalog = load(global).unwrap_or_else(|_unusable| Catalog::built_in());
    for glob in globs {
        if glob.is_empty()
            || matches_operator_event(glob)
            || catalog.matching(glob).next().is_some()
            || server_has(client, glob).await
        {
            continue;
        }
        let names = catalog.types().iter().map(|event_type| event_type.name);
        let names = names.chain(OperatorEvent::TYPES);
        let suggestion = nearest(glob, names).map(|near| format!("; did you mean {near}?"));
        let glob = output::printable(glob);
        let suggestion = suggestion.unwrap_or_default();
        output::notice(format_args!(
            "warning: --event {glob} matches no event type of the catalogue{suggestion}"
        ));
    }
}

/// Returns whether a glob matches an operator event. No catalogue contains operator events.
fn matches_operator_event(glob: &str) -> bool {
    glob.parse::<EventGlob>().is_ok_and(|glob| {
        let matches = glob.matcher();
        OperatorEvent::TYPES.into_iter().any(matches)
    })
}

/// Returns whether the server's catalogue has a matching event type; `false` if the request fails.
async fn server_has(client: &Client, glob: &str) -> bool {
    let path = format!("/v1/catalog?event={}", escape(glob));
    let Ok(answer) = client.get(&path).await else {
        return false;
    };
    client::read::<EventTypeListJson>(&answer).is_ok_and(|list| !list.event_types.is_empty())
}
