//! The catalogue as the settings have it, and what to say when it lacks an event type.

use easel_catalog::{Catalog, OperatorEvent};
use easel_server::{EventGlob, load_catalog};
use serde::Deserialize;
use serde_json::Value;

use crate::args::GlobalArgs;
use crate::client::{self, Client, escape};
use crate::exit_code::Failure;
use crate::output;
use crate::settings::{Settings, nearest};

/// The built-in catalogue with the operator's own files over it.
pub(crate) fn load(global: &GlobalArgs) -> Result<Catalog, Failure> {
    let settings = Settings::load(global, &[])?;
    Ok(load_catalog(settings.config.catalog.folder.as_deref())?)
}

/// That there is no such event type, and which was probably meant.
pub(crate) fn unknown(catalog: &Catalog, name: &str) -> String {
    let names = catalog.types().iter().map(|it| it.name);
    match nearest(name, names) {
        Some(near) => format!("the catalogue has no event type {name:?}; did you mean {near}?"),
        None => format!("the catalogue has no event type {name:?}"),
    }
}

#[derive(Deserialize)]
struct EventTypeListJson {
    event_types: Vec<Value>,
}

/// Warns of each `--event` that matches no event type, neither here nor on the server, nor one of Easel itself. That is no
/// failure: a release of Canvas can bring new event types.
pub(crate) async fn warn_of_unmatched<'a>(
    global: &GlobalArgs,
    client: &Client,
    globs: impl IntoIterator<Item = &'a String>,
) {
    // A server elsewhere can be asked with settings here that make no sense.
    let catalog = load(global).unwrap_or_else(|_unusable| Catalog::built_in());
    for glob in globs {
        if glob.is_empty()
            || matches_operator_event(glob)
            || catalog.matching(glob).next().is_some()
            || server_has(client, glob).await
        {
            continue;
        }
        let names = catalog.types().iter().map(|it| it.name);
        let names = names.chain(OperatorEvent::TYPES);
        let suggestion = nearest(glob, names).map(|near| format!("; did you mean {near}?"));
        let glob = output::plain(glob);
        let suggestion = suggestion.unwrap_or_default();
        output::talk(format_args!(
            "warning: --event {glob} matches no event type of the catalogue{suggestion}"
        ));
    }
}

/// Whether a glob matches an event type of Easel itself, which no catalogue has.
fn matches_operator_event(glob: &str) -> bool {
    glob.parse::<EventGlob>().is_ok_and(|glob| {
        let matches = glob.matcher();
        OperatorEvent::TYPES.into_iter().any(matches)
    })
}

/// Whether the server's catalogue has a type like this; not, where it does not say.
async fn server_has(client: &Client, glob: &str) -> bool {
    let path = format!("/v1/catalog?event={}", escape(glob));
    let Ok(answer) = client.get(&path).await else {
        return false;
    };
    client::read::<EventTypeListJson>(&answer).is_ok_and(|list| !list.event_types.is_empty())
}
