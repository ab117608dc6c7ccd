//! Connects to endpoints, and asks the guard before every connection.
//!
//! Promise: a connection goes to an address that the guard has checked, whatever DNS answers later. Every
//! connection resolves the name once, checks all addresses, and dials only these addresses. The resolver of
//! the HTTP client is never used, so there is no second answer.
//!
//! With a proxy, the proxy resolves the names. The guard then checks only what it can know: addresses in
//! URLs, and names that mean this machine or a metadata service. The proxy must refuse the rest. The address
//! of the proxy itself is the operator's and is not checked.
//!
//! Nothing here reads the environment: `HTTP_PROXY` and similar variables have no effect, because neither
//! this connector nor the HTTP client looks for them.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Ready, ready};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use easel_keys::SecretUrl;
use http::Uri;
use http::uri::{PathAndQuery, Scheme};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;
use tracing::warn;

use super::proxy::{Proxy, ProxyError};
use super::resolver::Resolve;
use super::{CheckedAddress, Guard, GuardMode, Refused, literal};
use crate::webhook::Endpoint;

/// The timeout of connecting: DNS, TCP and the answer of the proxy. A cancelled attempt may still be
/// connecting in the background.
const CONNECT_TIMEOUT: Duration = Duration::from_mins(1);

/// Any error while connecting. A refusal of the guard is a [`Refused`] without a wrapper.
type BoxError = Box<dyn Error + Send + Sync>;

/// Connects to the host of a URL over TCP, directly or through the proxy.
#[derive(Clone, Debug)]
pub(in crate::webhook) struct GuardedConnector(Arc<Dialer>);

#[derive(Debug)]
struct Dialer {
    guard: Guard,
    proxy: Option<Proxy>,
    resolver: Arc<dyn Resolve>,
}

/// Why a connection could not be made.
#[derive(Debug, Error)]
enum DialError {
    #[error("resolve the name {name}")]
    Resolve { name: String, source: io::Error },
    #[error("the name {name} has no address")]
    NoAddress { name: String },
    #[error("connect through the proxy {proxy}")]
    Proxy { proxy: String, source: BoxError },
    #[error("no connection after {} seconds", CONNECT_TIMEOUT.as_secs())]
    TimedOut,
    #[error("the URL has no host")]
    NoHost,
}

impl GuardedConnector {
    pub(in crate::webhook) fn new(
        guard: Guard,
        proxy: Option<&SecretUrl>,
        resolver: Arc<dyn Resolve>,
    ) -> Result<Self, ProxyError> {
        Ok(Self(Arc::new(Dialer {
            guard,
            proxy: proxy.map(Proxy::parse).transpose()?,
            resolver,
        })))
    }

    /// Checks an endpoint before it is saved. With a proxy, names are not resolved.
    pub(in crate::webhook) async fn check(
        &self,
        endpoint: &Endpoint,
    ) -> Result<CheckedAddress, Refused> {
        let dialer = &self.0;
        match dialer.proxy {
            Some(_) => {
                dialer.guard.check_endpoint(endpoint)?;
                Ok(CheckedAddress::Allowed)
            }
            None => {
                let resolver = dialer.resolver.as_ref();
                dialer.guard.resolve_and_check(endpoint, resolver).await
            }
        }
    }
}

impl Service<Uri> for GuardedConnector {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dialer = Arc::clone(&self.0);
        Box::pin(async move {
            timeout(CONNECT_TIMEOUT, dialer.dial(uri))
                .await
                .map_err(|_elapsed| DialError::TimedOut)?
        })
    }
}

impl Dialer {
    async fn dial(&self, uri: Uri) -> Result<TokioIo<TcpStream>, BoxError> {
        let host = uri.host().ok_or(DialError::NoHost)?;
        match &self.proxy {
            None => {
                let addresses = self.checked_addresses(host).await?;
                Ok(tcp(addresses).call(uri).await?)
            }
            Some(proxy) => {
                self.enforce(self.guard.check_host(host))?;
                self.tunnel(proxy, uri).await
            }
        }
    }

    /// Returns the addresses of `host`, if the guard refuses none of them.
    async fn checked_addresses(&self, host: &str) -> Result<Vec<IpAddr>, BoxError> {
        // A refused name is not even resolved.
        let by_host = self.guard.check_host(host);
        let is_refused = by_host.is_err();
        self.enforce(by_host)?;
        let addresses = self.addresses(host).await?;
        if !is_refused {
            self.enforce(self.guard.check_addresses(host, &addresses))?;
        }
        Ok(addresses)
    }

    /// Returns the addresses of `host`, unchecked.
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DialError> {
        if let Some(address) = literal(host) {
            return Ok(vec![address]);
        }
        let name = || host.to_owned();
        match self.resolver.resolve(host).await {
            Ok(addresses) if addresses.is_empty() => Err(DialError::NoAddress { name: name() }),
            Ok(addresses) => Ok(addresses),
            Err(source) => Err(DialError::Resolve {
                name: name(),
                source,
            }),
        }
    }

    /// Returns the result of a check. In the mode [`GuardMode::Report`], logs a refusal and returns `Ok`.
    fn enforce(&self, checked: Result<(), Refused>) -> Result<(), Refused> {
        match (checked, self.guard.mode) {
            (Err(error), GuardMode::Report) => {
                warn!(%error, "connection to an address that the guard would refuse");
                Ok(())
            }
            (checked, GuardMode::Enforce | GuardMode::Report) => checked,
        }
    }

    async fn tunnel(&self, proxy: &Proxy, uri: Uri) -> Result<TokioIo<TcpStream>, BoxError> {
        let failed = |source| DialError::Proxy {
            proxy: proxy
                .uri()
                .authority()
                .map_or_else(String::new, ToString::to_string),
            source,
        };
        let host = proxy.uri().host().ok_or(DialError::NoHost)?;
        let addresses = self.addresses(host).await;
        let addresses = addresses.map_err(|error| failed(error.into()))?;
        let mut tunnel = Tunnel::new(proxy.uri().clone(), tcp(addresses));
        if let Some(authorization) = proxy.authorization() {
            tunnel = tunnel.with_auth(authorization.clone());
        }
        let connection = tunnel.call(with_port(uri)?).await;
        Ok(connection.map_err(|error| failed(error.into()))?)
    }
}

/// Adds the port to a URL without a port. A [`Tunnel`] would use 443 for every scheme.
fn with_port(uri: Uri) -> Result<Uri, BoxError> {
    if uri.port().is_some() {
        return Ok(uri);
    }
    let is_https = uri.scheme() == Some(&Scheme::HTTPS);
    let port = if is_https { 443 } else { 80 };
    let host = uri.host().ok_or(DialError::NoHost)?;
    let authority = format!("{host}:{port}").parse()?;
    let mut parts = uri.into_parts();
    parts.authority = Some(authority);
    parts.path_and_query = Some(PathAndQuery::from_static("/"));
    Ok(Uri::from_parts(parts)?)
}

/// Returns a connector that dials only `addresses`, or the address in the URL if the URL contains one.
fn tcp(addresses: Vec<IpAddr>) -> HttpConnector<ResolvedName> {
    // The connector takes the port from the URL.
    let addresses = addresses
        .into_iter()
        .map(|address| SocketAddr::new(address, 0));
    let mut tcp = HttpConnector::new_with_resolver(ResolvedName(addresses.collect()));
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    tcp
}

/// A resolver that returns the same addresses for every name.
#[derive(Clone, Debug)]
struct ResolvedName(Vec<SocketAddr>);

impl Service<Name> for ResolvedName {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _name: Name) -> Self::Future {
        ready(Ok(self.0.clone().into_iter()))
    }
}
