//! How a command finds its server.
//!
//! A running server keeps `local.json` in its data folder; only its owner can read the file. A command
//! on the same machine reads the address and the token from this file. The command sends this token
//! only to this address.

use std::io;
use std::path::Path;

use anyhow::anyhow;
use easel_keys::Secret;
use easel_server::LocalServer;

use crate::exit_code::{Code, Failure};
use crate::global_args::GlobalArgs;
use crate::settings::Settings;
use crate::tls_trust::TlsTrust;
use crate::url::Url;

/// The address of a server and the token for it.
#[derive(Debug)]
pub(crate) struct Contact {
    /// The address.
    pub(crate) url: Url,
    /// The token, if any is known.
    pub(crate) token: Option<Secret<String>>,
    /// The TLS of the connection.
    pub(crate) trust: TlsTrust,
}

impl Contact {
    /// Returns the server of `--url`, otherwise the server that runs on the data folder.
    pub(crate) fn find(args: &GlobalArgs) -> Result<Self, Failure> {
        if let Some(url) = args.url.clone() {
            return Ok(Self {
                url,
                token: args.token.clone(),
                trust: TlsTrust::from_args(args),
            });
        }
        let data = Settings::load(args, &[])?.config.data;
        let local = LocalServer::read(&data).map_err(|error| not_running(&data, error))?;
        let token = args.token.clone().or(local.token);
        Ok(Self {
            url: Url::http(local.address),
            token,
            trust: TlsTrust::default(),
        })
    }
}

fn not_running(data: &Path, error: io::Error) -> Failure {
    let data = data.display();
    if error.kind() == io::ErrorKind::NotFound {
        let advice = "start one with `easel serve`, or give its folder with --data or its address with --url";
        return Failure::new(
            Code::Unavailable,
            anyhow!("no server is running on {data}; {advice}"),
        );
    }
    if matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
    ) {
        let advice = "restart the server to write it again, or give an address with --url";
        return Failure::new(
            Code::Configuration,
            anyhow!("{data}/local.json is damaged; {advice}"),
        );
    }
    let error = anyhow::Error::new(error).context(format!("failed to read {data}/local.json"));
    Failure::new(Code::Configuration, error)
}
