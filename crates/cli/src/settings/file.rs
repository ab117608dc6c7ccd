//! The settings file, TOML.
//!
//! This module reads the tables key by key and stores single values as text, so that the file, the
//! environment and the flags share the same parsers. The lists `[[kinesis.keys]]`, `[[caliper.roles]]`,
//! `[[sources]]` and `[[subscriptions]]` are validated with their shapes and then parsed by serde. One run finds all faults,
//! each with line and column.

use std::path::Path;

use easel_catalog::{Reach, toml_syntax_words, toml_words};
use easel_keys::Secret;
use easel_server::{KinesisKey, Role, SourceSpec};
use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer};
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::declaration::DeclarationToml;
use super::error::{SettingsError, nearest};
use super::excerpt::with_excerpt;
use super::origin::{FilePosition, SettingOrigin};
use super::shape::{
    CALIPER_ROLE, KINESIS_KEY, Presence, SOURCE, SUBSCRIPTION, SettingKey, ValueCheck, ValueShape,
    kind_of,
};
use super::{Layer, SettingValue, setting, text_list};

/// The key for `auth` in a file that has `auth` as a table, with `auth.first_token` beside it.
const AUTH_MODE: &str = "auth.mode";

/// Reads a settings file.
pub(super) fn read(path: &Path) -> Layer {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(path, &text),
        Err(source) => Layer {
            faults: vec![SettingsError::Unreadable {
                path: path.to_owned(),
                source,
            }],
            ..Layer::default()
        },
    }
}

/// Parses the text of a settings file.
pub(super) fn parse(path: &Path, text: &str) -> Layer {
    let file = SettingsFile { path, text };
    let mut layer = Layer::default();
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut errors: Vec<_> = errors
        .iter()
        .map(|error| (error.span().map_or(0, |span| span.start), error))
        .collect();
    errors.sort_by_key(|(start, _)| *start);
    let mut last_line = None;
    for (start, error) in &errors {
        let place = file.place(*start);
        // One mistake can cause several errors in the same line; report only the first.
        if last_line.replace(place.line()) != Some(place.line()) {
            let fault = toml_syntax_words(text, error.message(), error.span());
            layer.faults.push(SettingsError::Malformed { place, fault });
        }
    }
    if errors.is_empty() {
        file.walk("", root.into_inner(), &mut layer);
    }
    layer
}

struct SettingsFile<'a> {
    path: &'a Path,
    text: &'a str,
}

/// A table in a list, or a table inside such a table.
struct NestedTable<'a> {
    /// The prefix of its keys in messages.
    prefix: String,
    place: FilePosition,
    table: &'a DeTable<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyToml {
    access_key_id: String,
    secret_access_key: Secret<String>,
    #[serde(default, deserialize_with = "deserialize_reach")]
    reach: Reach,
}

fn deserialize_reach<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Reach, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(de::Error::custom)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleToml {
    canvas: String,
    segment: String,
    roles: Vec<String>,
}

impl SettingsFile<'_> {
    fn walk(&self, parent: &str, table: DeTable<'_>, layer: &mut Layer) {
        for (name, value) in table {
            let place = self.place(name.span().start);
            let key = match parent {
                "" => name.into_inner().into_owned(),
                _ => format!("{parent}.{}", name.get_ref()),
            };
            match key.as_str() {
                setting::KINESIS_KEYS => {
                    let keys = self.list::<KeyToml>(&key, value, KINESIS_KEY, layer);
                    layer
                        .list_origins
                        .push((setting::KINESIS_KEYS, SettingOrigin::File(place)));
                    let keys = keys.into_iter().map(|(origin, key)| (origin, key.into()));
                    layer.kinesis_keys.extend(keys);
                }
                setting::CALIPER_ROLES => {
                    let roles = self.list::<RoleToml>(&key, value, CALIPER_ROLE, layer);
                    layer
                        .list_origins
                        .push((setting::CALIPER_ROLES, SettingOrigin::File(place)));
                    let roles = roles
                        .into_iter()
                        .map(|(origin, role)| (origin, role.into()));
                    layer.caliper_roles.extend(roles);
                }
                setting::SOURCES => {
                    let specs = self.list::<SourceSpec>(&key, value, SOURCE, layer);
                    let origins = specs.iter().map(|(origin, _)| origin.clone());
                    let origins = origins.map(|origin| (setting::SOURCES, origin));
                    layer.list_origins.extend(origins);
                    layer.sources.extend(specs);
                }
                setting::SUBSCRIPTIONS => {
                    let declared = self.list::<DeclarationToml>(&key, value, SUBSCRIPTION, layer);
                    let origins = declared.iter().map(|(origin, _)| origin.clone());
                    let origins = origins.map(|origin| (setting::SUBSCRIPTIONS, origin));
                    layer.list_origins.extend(origins);
                    let declared = declared
                        .into_iter()
                        .map(|(origin, DeclarationToml(declared))| (origin, declared));
                    layer.subscriptions.extend(declared);
                }
                _ => {
                    let origin = SettingOrigin::File(self.place(value.span().start));
                    match value.into_inner() {
                        DeValue::Table(table) => self.walk(&key, table, layer),
                        single => match setting_value(place, key, &single, origin) {
                            Ok(value) => layer.values.push(value),
                            Err(fault) => layer.faults.push(fault),
                        },
                    }
                }
            }
        }
    }

    /// Returns the valid tables of a list, each with its place.
    fn list<T: DeserializeOwned>(
        &self,
        key: &str,
        value: Spanned<DeValue<'_>>,
        fields: &[SettingKey],
        layer: &mut Layer,
    ) -> Vec<(SettingOrigin, T)> {
        let place = self.place(value.span().start);
        let items = match value.into_inner() {
            DeValue::Array(items) => items,
            other => {
                let fault = format!("`{key}` must be a list of tables, not {}", kind_of(&other));
                layer.faults.push(SettingsError::Malformed { place, fault });
                return Vec::new();
            }
        };
        let mut valid_items = Vec::new();
        for item in items {
            let place = self.place(item.span().start);
            let DeValue::Table(table) = item.get_ref() else {
                let kind = kind_of(item.get_ref());
                let fault = format!("`{key}` must be a list of tables, not of {kind}");
                layer.faults.push(SettingsError::Malformed { place, fault });
                continue;
            };
            let faults_before = layer.faults.len();
            let nested = NestedTable {
                prefix: String::new(),
                place: place.clone(),
                table,
            };
            self.check_table(&nested, fields, &mut layer.faults);
            if layer.faults.len() > faults_before {
                continue;
            }
            match T::deserialize(ValueDeserializer::from(item)) {
                Ok(item) => valid_items.push((SettingOrigin::File(place), item)),
                Err(error) => {
                    let fault = toml_words(self.text, error.message(), error.span());
                    let place = error.span().map_or(place, |span| self.place(span.start));
                    layer.faults.push(SettingsError::Malformed { place, fault });
                }
            }
        }
        valid_items
    }

    /// Validates a table with its shape.
    fn check_table(
        &self,
        nested: &NestedTable<'_>,
        fields: &[SettingKey],
        faults: &mut Vec<SettingsError>,
    ) {
        let NestedTable {
            prefix,
            place,
            table,
        } = nested;
        let mut suggested_keys = Vec::new();
        for (name, value) in *table {
            let key: &str = name.get_ref();
            let Some(field) = fields.iter().find(|field| field.name == key) else {
                let suggestion = nearest(key, fields.iter().map(|field| field.name));
                suggested_keys.extend(suggestion.clone());
                faults.push(SettingsError::UnknownKey {
                    place: self.place(name.span().start),
                    key: key.to_owned(),
                    suggestion,
                });
                continue;
            };
            self.check_value(&format!("{prefix}{key}"), field, value, faults);
        }
        // A misspelled key is not reported as missing too.
        let is_missing = |field: &&SettingKey| {
            field.presence == Presence::Required
                && !table.keys().any(|name| name.get_ref() == field.name)
                && !suggested_keys.iter().any(|name| name == field.name)
        };
        for field in fields.iter().filter(is_missing) {
            let fault = format!("`{prefix}{}` is missing", field.name);
            let place = place.clone();
            faults.push(SettingsError::Malformed { place, fault });
        }
        let alternatives: Vec<_> = fields
            .iter()
            .filter(|field| field.presence == Presence::Alternative)
            .map(|field| field.name)
            .collect();
        let is_suggested = suggested_keys
            .iter()
            .any(|name| alternatives.contains(&name.as_str()));
        let present = alternatives
            .iter()
            .filter(|name| table.keys().any(|key| key.get_ref() == **name));
        if !alternatives.is_empty() && !is_suggested && present.count() != 1 {
            let names = alternatives.iter().map(|name| format!("`{prefix}{name}`"));
            let names = names.collect::<Vec<_>>();
            let names = match names.split_last() {
                Some((last, others)) if !others.is_empty() => {
                    format!("{} and {last}", others.join(", "))
                }
                Some(_) | None => names.concat(),
            };
            let fault = format!("exactly one of {names} is required");
            let place = place.clone();
            faults.push(SettingsError::Malformed { place, fault });
        }
    }

    fn check_value(
        &self,
        key: &str,
        field: &SettingKey,
        value: &Spanned<DeValue<'_>>,
        faults: &mut Vec<SettingsError>,
    ) {
        let place = self.place(value.span().start);
        let result = match (&field.shape, value.get_ref()) {
            (
                ValueShape::Text(check)
                | ValueShape::TextOrNumber(check)
                | ValueShape::TextOrTexts { text: check, .. },
                DeValue::String(text),
            ) => check(text).map_err(|error| with_excerpt(&error, text)),
            (
                ValueShape::Number(check) | ValueShape::TextOrNumber(check),
                DeValue::Integer(number),
            ) => check(&number.to_string()),
            (ValueShape::Boolean, DeValue::Boolean(_)) => Ok(()),
            (ValueShape::Texts(_), DeValue::Array(items)) if items.is_empty() => {
                let advice = if field.presence == Presence::Required {
                    ""
                } else {
                    "; omit it to set no condition"
                };
                Err(format!("`{key}` must not be an empty list{advice}"))
            }
            (
                ValueShape::Texts(check) | ValueShape::TextOrTexts { item: check, .. },
                DeValue::Array(items),
            ) => {
                let requirement = "a list of strings, not of";
                let items = items.iter();
                faults.extend(
                    items.filter_map(|item| self.text_fault(key, requirement, *check, item)),
                );
                return;
            }
            (ValueShape::TextTable(check), DeValue::Table(table)) => {
                faults.extend(table.iter().filter_map(|(name, value)| {
                    let key = format!("{key}.{}", name.get_ref());
                    self.text_fault(&key, "a string, not", *check, value)
                }));
                return;
            }
            (ValueShape::OneOf(fields), DeValue::Table(table)) if table.len() != 1 => {
                let names = fields.iter().map(|field| format!("`{}`", field.name));
                let names = names.collect::<Vec<_>>().join(" and ");
                Err(format!("`{key}` must have exactly one of {names}"))
            }
            (ValueShape::Table(fields) | ValueShape::OneOf(fields), DeValue::Table(table)) => {
                let nested = NestedTable {
                    prefix: format!("{key}."),
                    place,
                    table,
                };
                self.check_table(&nested, fields, faults);
                return;
            }
            (shape, other) => Err(format!(
                "`{key}` must be {}, not {}",
                shape.requirement(),
                kind_of(other)
            )),
        };
        if let Err(fault) = result {
            faults.push(SettingsError::Malformed { place, fault });
        }
    }

    /// Returns the fault of one value in a list or a table of strings. If the value is not a string, the message
    /// has `requirement`, then the kind of the value.
    fn text_fault(
        &self,
        key: &str,
        requirement: &str,
        check: ValueCheck,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<SettingsError> {
        let fault = match value.get_ref() {
            DeValue::String(text) => {
                let error = check(text).err()?;
                format!("`{key}`: {}", with_excerpt(&error, text))
            }
            other => format!("`{key}` must be {requirement} {}", kind_of(other)),
        };
        let place = self.place(value.span().start);
        Some(SettingsError::Malformed { place, fault })
    }

    fn place(&self, byte: usize) -> FilePosition {
        FilePosition::new(self.path, self.text, byte)
    }
}

/// Returns the value of the setting `key`. Fails if the key, which is at `place`, is unknown.
fn setting_value(
    place: FilePosition,
    key: String,
    value: &DeValue<'_>,
    origin: SettingOrigin,
) -> Result<SettingValue, SettingsError> {
    let name = if key == AUTH_MODE {
        setting::AUTH
    } else {
        &key
    };
    if let Some(setting) = setting::ALL.iter().find(|setting| setting.key == name) {
        let text = match value {
            DeValue::Array(items) if setting::TEXT_LISTS.contains(&setting.key) => {
                text_list::join(items)
            }
            value => text_of(value),
        };
        return Ok(SettingValue {
            setting,
            text: text.map(Secret::new),
            origin,
        });
    }
    if let Some((key, advice)) = setting::REMOVED.into_iter().find(|(key, _)| *key == name) {
        return Err(SettingsError::Removed {
            origin: SettingOrigin::File(place),
            key,
            advice,
        });
    }
    let lists = [
        setting::KINESIS_KEYS,
        setting::CALIPER_ROLES,
        setting::SOURCES,
        setting::SUBSCRIPTIONS,
    ];
    let names = setting::ALL.iter().map(|setting| setting.key);
    let suggestion = nearest(&key, names.chain(lists).chain([AUTH_MODE]));
    Err(SettingsError::UnknownKey {
        place,
        key,
        suggestion,
    })
}

/// Returns a value as the text that a variable would have. The error is the kind of an array or a table.
fn text_of(value: &DeValue<'_>) -> Result<String, &'static str> {
    Ok(match value {
        DeValue::String(text) => text.clone().into_owned(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(boolean) => boolean.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) | DeValue::Table(_) => return Err(kind_of(value)),
    })
}

impl From<RoleToml> for Role {
    fn from(toml: RoleToml) -> Self {
        Self {
            canvas: toml.canvas,
            segment: toml.segment,
            roles: toml.roles,
        }
    }
}

impl From<KeyToml> for KinesisKey {
    fn from(toml: KeyToml) -> Self {
        Self {
            access_key_id: toml.access_key_id,
            secret_access_key: toml.secret_access_key,
            reach: toml.reach,
        }
    }
}
