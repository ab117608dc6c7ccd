//! Secrets in arguments.
//!
//! Other users of the machine can see the arguments of a command. So an argument can name the place of a
//! secret instead: `env:NAME` is an environment variable, `file:PATH` is a file, and `-` is stdin.

use anyhow::anyhow;
use easel_keys::Secret;
use easel_server::SecretReference;

use crate::exit_code::{Code, Failure, OrExit};
use crate::settings::{read_secret, read_text};

/// An argument with a secret, or with the place of one.
#[derive(Clone, Debug)]
pub(crate) struct SecretArg(Secret<String>);

/// Parses an argument. Never fails, because clap prints invalid values.
impl From<String> for SecretArg {
    fn from(text: String) -> Self {
        Self(Secret::new(text))
    }
}

impl SecretArg {
    /// Returns the text of the argument. It must not be printed.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Returns whether the argument is the place of a secret.
    pub(crate) fn is_reference(&self) -> bool {
        self.expose() == "-" || SecretReference::parse(self.expose()).is_some()
    }
}

/// Reads the secrets of arguments.
#[derive(Debug, Default)]
pub(crate) struct SecretReader {
    /// The content of stdin, if something else has read or will read stdin.
    stdin_content: Option<&'static str>,
}

impl SecretReader {
    /// Creates a reader that rejects `-`, because stdin has other content.
    pub(crate) const fn without_stdin(content: &'static str) -> Self {
        Self {
            stdin_content: Some(content),
        }
    }

    /// Returns the secret of the argument of `flag`.
    pub(crate) fn read(
        &mut self,
        flag: &'static str,
        secret: &SecretArg,
    ) -> Result<Secret<String>, Failure> {
        self.read_text(flag, secret.expose())
    }

    /// Returns the secret of a part of the argument of `flag`.
    pub(crate) fn read_text(
        &mut self,
        flag: &'static str,
        text: &str,
    ) -> Result<Secret<String>, Failure> {
        let secret = match SecretReference::parse(text) {
            Some(reference) => read_secret(reference)
                .map_err(|fault| Failure::new(Code::BadInput, anyhow!("{flag}: {fault}")))?,
            None if text == "-" => self.read_stdin(flag)?,
            None => Secret::new(text.to_owned()),
        };
        if secret.expose().is_empty() {
            let error = anyhow!("{flag}: the secret must not be empty");
            return Err(Failure::new(Code::Usage, error));
        }
        Ok(secret)
    }

    fn read_stdin(&mut self, flag: &'static str) -> Result<Secret<String>, Failure> {
        if let Some(content) = self.stdin_content.replace("another secret") {
            let error = anyhow!("{flag}: a secret cannot come from stdin, which has {content}");
            return Err(Failure::new(Code::Usage, error));
        }
        let text = read_text(std::io::stdin().lock(), "stdin");
        let text = text
            .map_err(|fault| anyhow!("{flag}: {fault}"))
            .or_exit(Code::BadInput)?;
        Ok(Secret::new(text.expose().trim_end().to_owned()))
    }
}
