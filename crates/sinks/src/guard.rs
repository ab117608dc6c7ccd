//! The address guard against SSRF: which addresses a sink may connect to.
//!
//! The creator of a subscription chooses a URL, and this server connects to that URL. Without the guard, the
//! URL could name a service that only this machine or its network can reach. So the guard permits public
//! addresses, and refuses all others unless the operator allows them.
//!
//! The guard checks twice: when a subscription is saved, to give an early answer, and at every connection.
//! Only the second check protects, because DNS may answer differently each time: a sink connects only to the
//! addresses that [`Guard::checked_addresses`] returns. A name with several addresses is refused if one of its
//! addresses is refused.
//!
//! Not here: which subscriptions the guard applies to, and redirects, which webhooks never follow.

mod resolver;
mod special;

pub use resolver::{Resolve, SystemResolver};
pub use special::{AddressKind, Embedding, RefusedReason};

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use thiserror::Error;
use tokio::time::timeout;
use tracing::{debug, warn};

/// The timeout of resolving a name when a subscription is saved.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The rules about addresses. The default refuses every address that is not public.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// The networks that the operator allows. An IPv4 network also allows the IPv4-mapped IPv6 addresses. The
    /// address of a metadata service is allowed only by a network of this single address.
    pub allow: Vec<IpNet>,
    /// Allows loopback addresses, for a server that itself listens only on loopback.
    pub loopback_allowed: bool,
    /// What happens to a connection that the rules refuse.
    pub mode: GuardMode,
}

/// What happens to a connection that the rules refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GuardMode {
    /// The connection fails.
    #[default]
    Enforce,
    /// The connection is made, and a warning is logged. The checks of [`Guard`] still return the refusal.
    Report,
}

/// The result of a check before an endpoint is saved, if the guard does not refuse the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckedAddress {
    /// The guard allows the address in the URL, or all addresses of its name. With a proxy, only the URL was
    /// checked, because the proxy resolves the names.
    Allowed,
    /// The name could not be resolved now, so its addresses are unknown.
    Unresolved,
}

/// The refusal of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The name that has the address; `None` if the URL contains the address.
    name: Option<String>,
    address: IpAddr,
    reason: RefusedReason,
}

/// Why there is no address to connect to.
#[derive(Debug, Error)]
pub enum AddressError {
    /// The guard refuses an address.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The name cannot be resolved.
    #[error("resolve the name {name}")]
    Resolve {
        /// The name.
        name: String,
        /// The error of the resolver.
        source: io::Error,
    },
    /// The name has no address.
    #[error("the name {name} has no address")]
    NoAddress {
        /// The name.
        name: String,
    },
}

impl Guard {
    /// Returns a guard with the same rules that only logs. Clients with different modes must not share
    /// connections, so each mode needs its own client.
    #[must_use]
    pub fn report_only(&self) -> Self {
        Self {
            mode: GuardMode::Report,
            ..self.clone()
        }
    }

    /// Returns a guard that allows all addresses except those of metadata services. It is for a program whose
    /// user chooses the endpoint.
    pub fn all_but_metadata() -> Self {
        Self {
            allow: vec![Ipv4Net::default().into(), Ipv6Net::default().into()],
            loopback_allowed: true,
            mode: GuardMode::Enforce,
        }
    }

    /// Checks an address.
    fn check(&self, address: IpAddr) -> Result<(), Refused> {
        match RefusedReason::for_address(address) {
            Some(reason) if !self.allows(address, &reason) => Err(Refused {
                name: None,
                address,
                reason,
            }),
            Some(_) | None => Ok(()),
        }
    }

    fn allows(&self, address: IpAddr, reason: &RefusedReason) -> bool {
        // The IPv4 address of an IPv4-mapped address; otherwise the address itself.
        let canonical = address.to_canonical();
        if self.loopback_allowed && canonical.is_loopback() {
            return true;
        }
        let is_single = |network: &IpNet| network.prefix_len() == network.max_prefix_len();
        self.allow.iter().any(|network| {
            (network.contains(&address) || network.contains(&canonical))
                && (!reason.is_metadata() || is_single(network))
        })
    }

    /// Checks the host of a URL without DNS: an address, or a name that means this machine or a metadata
    /// service. Any other name passes.
    pub fn check_host(&self, host: &str) -> Result<(), Refused> {
        match (literal(host), known_address(host)) {
            (Some(address), _) => self.check(address),
            (None, Some(address)) => self.check_addresses(host, &[address]),
            (None, None) => Ok(()),
        }
    }

    /// Checks the host of a URL, and resolves a name once to check its addresses. A name that cannot be resolved
    /// now is not refused, because its endpoint may not exist yet. Every connection is checked again.
    pub async fn resolve_and_check(
        &self,
        host: &str,
        resolver: &dyn Resolve,
    ) -> Result<CheckedAddress, Refused> {
        self.check_host(host)?;
        if literal(host).is_some() {
            return Ok(CheckedAddress::Allowed);
        }
        match timeout(RESOLVE_TIMEOUT, resolver.resolve(host)).await {
            Ok(Ok(addresses)) if addresses.is_empty() => {
                debug!("the name of an endpoint has no address yet");
                Ok(CheckedAddress::Unresolved)
            }
            Ok(Ok(addresses)) => {
                self.check_addresses(host, &addresses)?;
                Ok(CheckedAddress::Allowed)
            }
            Ok(Err(error)) => {
                debug!(%error, "the name of an endpoint cannot be resolved yet");
                Ok(CheckedAddress::Unresolved)
            }
            Err(_elapsed) => {
                debug!("the name of an endpoint is not resolved in time");
                Ok(CheckedAddress::Unresolved)
            }
        }
    }

    /// Returns the addresses of `host` for a connection, if the guard refuses none of them.
    pub async fn checked_addresses(
        &self,
        host: &str,
        resolver: &dyn Resolve,
    ) -> Result<Vec<IpAddr>, AddressError> {
        // A refused name is not even resolved.
        let by_host = self.check_host(host);
        let is_refused = by_host.is_err();
        self.enforce(by_host)?;
        let addresses = unchecked_addresses(host, resolver).await?;
        if !is_refused {
            self.enforce(self.check_addresses(host, &addresses))?;
        }
        Ok(addresses)
    }

    /// Returns the result of a check. In the mode [`GuardMode::Report`], logs a refusal and returns `Ok`.
    pub(crate) fn enforce(&self, checked: Result<(), Refused>) -> Result<(), Refused> {
        match (checked, self.mode) {
            (Err(error), GuardMode::Report) => {
                warn!(%error, "connection to an address that the guard would refuse");
                Ok(())
            }
            (checked, GuardMode::Enforce | GuardMode::Report) => checked,
        }
    }

    /// Checks all addresses of a host.
    fn check_addresses(&self, host: &str, addresses: &[IpAddr]) -> Result<(), Refused> {
        let name = literal(host).is_none().then(|| host.to_owned());
        let refused = addresses
            .iter()
            .find_map(|address| self.check(*address).err());
        match refused {
            Some(refused) => Err(Refused { name, ..refused }),
            None => Ok(()),
        }
    }
}

/// Returns the addresses of `host`, unchecked.
pub(crate) async fn unchecked_addresses(
    host: &str,
    resolver: &dyn Resolve,
) -> Result<Vec<IpAddr>, AddressError> {
    if let Some(address) = literal(host) {
        return Ok(vec![address]);
    }
    let name = || host.to_owned();
    match resolver.resolve(host).await {
        Ok(addresses) if addresses.is_empty() => Err(AddressError::NoAddress { name: name() }),
        Ok(addresses) => Ok(addresses),
        Err(source) => Err(AddressError::Resolve {
            name: name(),
            source,
        }),
    }
}

impl Refused {
    /// Returns the address.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// Returns the reason.
    pub const fn reason(&self) -> &RefusedReason {
        &self.reason
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            address,
            reason,
        } = self;
        write!(f, "the address {address}")?;
        if let Some(name) = name {
            write!(f, " of {name}")?;
        }
        write!(
            f,
            " is refused: {reason}; the setting webhook.allow can allow it"
        )?;
        if reason.is_metadata() {
            write!(f, ", but only as {}", IpNet::from(*address))?;
        }
        Ok(())
    }
}

impl Error for Refused {}

/// Returns the address in the host of a URL, if the host is not a name. The HTTP client connects to such an
/// address without a resolver.
fn literal(host: &str) -> Option<IpAddr> {
    let without_brackets = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    without_brackets.unwrap_or(host).parse().ok()
}

/// The names of this machine in RFC 6761, section 6.3, and in the file `/etc/hosts` of common systems.
const LOCAL_NAMES: [&str; 6] = [
    "localhost",
    "localhost.localdomain",
    "localhost4",
    "localhost6",
    "ip6-localhost",
    "ip6-loopback",
];

/// The names of metadata services. DNS knows them only in the network of the cloud provider, so a proxy may be
/// able to resolve them.
const METADATA_NAMES: [&str; 3] = [
    "metadata.google.internal",
    "metadata.goog",
    "instance-data.ec2.internal",
];

/// The address that the names of metadata services mean.
const METADATA_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));

/// Returns the address that a well-known name means.
fn known_address(name: &str) -> Option<IpAddr> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if LOCAL_NAMES.contains(&name.as_str()) || name.ends_with(".localhost") {
        return Some(Ipv4Addr::LOCALHOST.into());
    }
    METADATA_NAMES
        .contains(&name.as_str())
        .then_some(METADATA_ADDRESS)
}

#[cfg(test)]
mod tests;
