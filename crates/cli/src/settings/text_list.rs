//! Settings that are a list of texts.
//!
//! The file has a list of strings. A variable, and the value that is shown, is one text: the items with
//! commas between them, or `off` for an empty list.

use std::fmt::Display;
use std::net::IpAddr;

use ipnet::IpNet;
use toml::Spanned;
use toml::de::DeValue;

const OFF: &str = "off";

/// Parses a list. Returns `None` if an item is invalid.
pub(super) fn parse<T>(text: &str, item: fn(&str) -> Option<T>) -> Option<Vec<T>> {
    if text == OFF {
        return Some(Vec::new());
    }
    text.split(',').map(|part| item(part.trim())).collect()
}

/// Returns a list as a text that [`parse`] accepts.
pub(super) fn show<T: Display>(items: &[T]) -> String {
    if items.is_empty() {
        return OFF.to_owned();
    }
    let items: Vec<_> = items.iter().map(T::to_string).collect();
    items.join(", ")
}

/// Returns the strings of a list in the file as one text. The error names what the list has instead of
/// strings.
pub(super) fn join(items: &[Spanned<DeValue<'_>>]) -> Result<String, &'static str> {
    let text = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
        DeValue::String(text) if text.contains(',') => Err("a string with a comma"),
        DeValue::String(text) => Ok(text.clone().into_owned()),
        _ => Err("a list of other values than strings"),
    };
    let texts: Vec<_> = items.iter().map(text).collect::<Result<_, _>>()?;
    Ok(show(&texts))
}

/// Parses a network, or an address, which is the network of this address alone. An address with a
/// prefix must be the first of its network, because others often mean only the address.
pub(super) fn network(text: &str) -> Option<IpNet> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.into());
    }
    let network = text.parse::<IpNet>().ok();
    network.filter(|network| network.addr() == network.network())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_address_with_or_without_a_prefix() {
        let check = |text: &str, wanted: Option<&str>| {
            let network = network(text).map(|network| network.to_string());
            assert_eq!(network.as_deref(), wanted, "{text}");
        };
        check("10.0.0.0/8", Some("10.0.0.0/8"));
        check("10.1.2.3", Some("10.1.2.3/32"));
        check("fd00::/8", Some("fd00::/8"));
        check("::1", Some("::1/128"));
        check("10.1.2.3/8", None);
        check("10.0.0.0/33", None);
        check("10.0.0/8", None);
        check("localhost", None);
        check("", None);
    }

    #[test]
    fn a_shown_list_parses_to_the_same_list() {
        for text in ["off", "10.0.0.0/8", "10.0.0.0/8, fd00::/8"] {
            assert_eq!(show(&parse(text, network).unwrap()), text);
        }
        assert_eq!(parse(" 10.0.0.0/8,::1 ", network).unwrap().len(), 2);
        assert_eq!(parse("10.0.0.0/8,", network), None);
        assert_eq!(parse("", network), None);
    }
}
