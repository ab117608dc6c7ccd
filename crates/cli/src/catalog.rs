//! The catalogue as the settings have it, and what to say when it lacks an event type.

use easel_catalog::Catalog;
use easel_server::load_catalog;

use crate::args::GlobalArgs;
use crate::exit_code::Failure;
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
