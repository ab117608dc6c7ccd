//! How host names become addresses.

use std::fmt;
use std::io;
use std::net::IpAddr;

use async_trait::async_trait;
use tokio::net::lookup_host;

/// Resolves host names. Tests replace the resolver of the system.
#[async_trait]
pub trait Resolve: fmt::Debug + Send + Sync {
    /// Returns all addresses of `name`.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The resolver of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let addresses = lookup_host((name, 0)).await?;
        Ok(addresses.map(|address| address.ip()).collect())
    }
}
