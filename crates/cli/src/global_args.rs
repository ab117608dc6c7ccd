//! The arguments that every command takes.

use std::path::PathBuf;

use easel_keys::Secret;

use crate::url::Url;

/// The arguments that every command takes.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Settings file [default: ./easel.toml, if it exists]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "EASEL_CONFIG",
        hide_env_values = true
    )]
    pub(crate) config: Option<PathBuf>,
    /// Data folder of the server
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<String>,
    /// Address of the server [default: the server that runs on the data folder]
    #[arg(long, global = true, env = "EASEL_URL", hide_env_values = true)]
    pub(crate) url: Option<Url>,
    /// Access token for the server
    #[arg(long, global = true, env = "EASEL_TOKEN", hide_env_values = true, value_parser = secret)]
    pub(crate) token: Option<Secret<String>>,
    /// PEM file of certificate authorities to trust besides those of the system
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "EASEL_CA_FILE",
        hide_env_values = true
    )]
    pub(crate) ca_file: Option<PathBuf>,
    /// PEM file with a client certificate and its key, for a server that requires one
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "EASEL_IDENTITY",
        hide_env_values = true
    )]
    pub(crate) identity: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// Parses a secret.
#[expect(
    clippy::unnecessary_wraps,
    reason = "clap requires a function that returns a `Result`"
)]
pub(crate) fn secret(text: &str) -> Result<Secret<String>, String> {
    Ok(Secret::new(text.to_owned()))
}
