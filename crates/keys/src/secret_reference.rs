//! References to secrets that are outside of the settings file.

/// A reference to a secret outside the configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretReference<'a> {
    /// The name of an environment variable.
    Environment(&'a str),
    /// The path of a file. White space at its end is not part of the secret.
    File(&'a str),
}

impl<'a> SecretReference<'a> {
    /// Parses `env:NAME` and `file:PATH`; `None` for any other text.
    pub fn parse(text: &'a str) -> Option<Self> {
        match text.split_once(':')? {
            ("env", name) => Some(Self::Environment(name)),
            // A URL with the scheme `file` counts as a reference too. No webhook has such a URL.
            ("file", path) => Some(Self::File(path)),
            _ => None,
        }
    }
}
