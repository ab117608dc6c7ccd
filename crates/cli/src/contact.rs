//! How a command reaches its server.
//!
//! A running server keeps `local.json` in its data folder, readable by its owner only. A command
//! on the same machine reads address and token there, so that nothing has to be typed twice. The
//! token in that file is only ever shown to the address in that file.

use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;

use anyhow::anyhow;
use easel_keys::Secret;
use easel_server::LocalServer;

use crate::args::GlobalArgs;
use crate::exit_code::{Code, Failure};
use crate::settings::Settings;

/// Where a server is, and what to show it.
#[derive(Debug)]
pub(crate) struct Contact {
    /// Where it is.
    pub(crate) url: Url,
    /// The token, if any is known.
    pub(crate) token: Option<Secret<String>>,
}

impl Contact {
    /// The server named on the command line, else the one that runs on the data folder.
    pub(crate) fn find(args: &GlobalArgs) -> Result<Self, Failure> {
        if let Some(url) = args.url.clone() {
            return Ok(Self {
                url,
                token: args.token.clone(),
            });
        }
        let data = Settings::load(args, &[])?.config.data;
        let local = LocalServer::read(&data).map_err(|error| not_running(&data, error))?;
        let token = args.token.clone().or(local.token.map(Secret::new));
        Ok(Self {
            url: Url(format!("http://{}", local.address)),
            token,
        })
    }
}

fn not_running(data: &Path, error: io::Error) -> Failure {
    let data = data.display();
    if error.kind() == io::ErrorKind::NotFound {
        let advice = "start one with `easel serve`, or name its folder with --data or its address with --url";
        return Failure::new(
            Code::Unavailable,
            anyhow!("no server is running on {data}; {advice}"),
        );
    }
    if matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
    ) {
        let advice = "restart the server, which writes it anew, or name a server with --url";
        return Failure::new(
            Code::Configuration,
            anyhow!("{data}/local.json is damaged; {advice}"),
        );
    }
    let error = anyhow::Error::new(error).context(format!("failed to read {data}/local.json"));
    Failure::new(Code::Configuration, error)
}

/// The address of a server: scheme, host and perhaps a path, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url(String);

impl Url {
    /// Whether the connection is to be encrypted.
    pub(crate) fn is_https(&self) -> bool {
        self.0.starts_with("https:")
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let needed = || "an address such as http://127.0.0.1:4567 is needed".to_owned();
        let uri: http::Uri = text.parse().map_err(|_parser_words| needed())?;
        match (uri.scheme_str(), uri.authority(), uri.query()) {
            (Some("http" | "https"), Some(_), None) => {
                Ok(Self(text.trim_end_matches('/').to_owned()))
            }
            _ => Err(needed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_a_scheme_and_a_host() {
        assert_eq!(
            "http://easel.example/".parse(),
            Ok(Url("http://easel.example".to_owned()))
        );
        for text in [
            "easel.example",
            "ftp://easel.example",
            "/v1",
            "http://easel.example?a=b",
            "http://a b",
            "",
        ] {
            let said = text.parse::<Url>().unwrap_err();
            assert!(said.starts_with("an address such as "), "{text:?}: {said}");
        }
    }
}
