//! The settings file, TOML.
//!
//! Tables are walked by hand and single values are kept as text, so that the file, the environment
//! and the flags share one set of readers; the lists, `[[kinesis.keys]]`, `[[caliper.roles]]` and
//! `[[subscriptions]]`, are read by serde. Every refusal names the line and column.

use std::path::Path;

use easel_access::Secret;
use easel_server::{KinesisKey, Role, Spec};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::error::{SettingsError, nearest};
use super::origin::{Origin, Place};
use super::{Layer, Said, setting};

/// Reads a settings file.
pub(super) fn read(path: &Path) -> Result<Layer, SettingsError> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(path, &text),
        Err(source) => Err(SettingsError::Unreadable {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Reads the text of a settings file.
pub(super) fn parse(path: &Path, text: &str) -> Result<Layer, SettingsError> {
    let file = File { path, text };
    let root = DeTable::parse(text).map_err(|error| file.refuse(&error))?;
    let mut layer = Layer::default();
    file.walk("", root.into_inner(), &mut layer)?;
    Ok(layer)
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyToml {
    access_key_id: String,
    secret_access_key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleToml {
    canvas: String,
    segment: String,
    #[serde(default)]
    roles: Vec<String>,
}

impl File<'_> {
    fn walk(
        &self,
        parent: &str,
        table: DeTable<'_>,
        layer: &mut Layer,
    ) -> Result<(), SettingsError> {
        for (name, value) in table {
            let place = self.place(name.span().start);
            let key = match parent {
                "" => name.into_inner().into_owned(),
                _ => format!("{parent}.{}", name.get_ref()),
            };
            match key.as_str() {
                setting::KINESIS_KEYS => {
                    let keys = self
                        .list::<KeyToml>(value)?
                        .into_iter()
                        .map(KinesisKey::from);
                    layer.kinesis_keys = Some((Origin::File(place), keys.collect()));
                }
                setting::CALIPER_ROLES => {
                    let roles = self.list::<RoleToml>(value)?.into_iter().map(Role::from);
                    layer.caliper_roles = Some((Origin::File(place), roles.collect()));
                }
                setting::SUBSCRIPTIONS => {
                    let specs = self.list::<Spanned<Spec>>(value)?;
                    let origin = |it: &Spanned<_>| Origin::File(self.place(it.span().start));
                    let specs = specs.into_iter().map(|it| (origin(&it), it.into_inner()));
                    layer.subscriptions = specs.collect();
                }
                _ => {
                    let origin = Origin::File(self.place(value.span().start));
                    match value.into_inner() {
                        DeValue::Table(table) => self.walk(&key, table, layer)?,
                        single => layer.said.push(said(place, key, &single, origin)?),
                    }
                }
            }
        }
        Ok(())
    }

    fn list<T: DeserializeOwned>(
        &self,
        value: Spanned<DeValue<'_>>,
    ) -> Result<Vec<T>, SettingsError> {
        Vec::deserialize(ValueDeserializer::from(value)).map_err(|error| self.refuse(&error))
    }

    fn refuse(&self, error: &toml::de::Error) -> SettingsError {
        let place = self.place(error.span().map_or(0, |span| span.start));
        // serde has no other way to tell which field it did not know, and which it knows.
        let mut names = error.message().split('`').skip(1).step_by(2);
        match (error.message().starts_with("unknown field"), names.next()) {
            (true, Some(key)) => SettingsError::UnknownKey {
                place,
                key: key.to_owned(),
                suggestion: nearest(key, names),
            },
            _ => SettingsError::Malformed {
                place,
                fault: error.message().replace('\n', ", "),
            },
        }
    }

    fn place(&self, byte: usize) -> Place {
        Place::of(self.path, self.text, byte)
    }
}

/// What `value`, at `origin`, says about `key`, at `place`.
fn said(
    place: Place,
    key: String,
    value: &DeValue<'_>,
    origin: Origin,
) -> Result<Said, SettingsError> {
    if let Some(setting) = setting::ALL.iter().find(|it| it.key == key) {
        return Ok(Said {
            setting,
            text: text_of(value),
            origin,
        });
    }
    let lists = [
        setting::KINESIS_KEYS,
        setting::CALIPER_ROLES,
        setting::SUBSCRIPTIONS,
    ];
    let suggestion = nearest(&key, setting::ALL.iter().map(|it| it.key).chain(lists));
    Err(SettingsError::UnknownKey {
        place,
        key,
        suggestion,
    })
}

/// A single value as it would stand in a variable; an array is nothing any setting takes.
fn text_of(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.clone().into_owned(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

impl From<RoleToml> for Role {
    fn from(it: RoleToml) -> Self {
        Self {
            canvas: it.canvas,
            segment: it.segment,
            roles: it.roles,
        }
    }
}

impl From<KeyToml> for KinesisKey {
    fn from(it: KeyToml) -> Self {
        Self {
            access_key_id: it.access_key_id,
            secret_access_key: Secret::new(it.secret_access_key),
        }
    }
}
