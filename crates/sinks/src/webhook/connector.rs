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

use super::Endpoint;
use super::proxy::{Proxy, ProxyError};
use crate::guard::{AddressError, CheckedAddress, Guard, Refused, Resolve, unchecked_addresses};

/// The timeout of connecting: DNS, TCP and the answer of the proxy. A cancelled attempt may still be
/// connecting in the background.
const CONNECT_TIMEOUT: Duration = Duration::from_mins(1);

/// Any error while connecting. A refusal of the guard is a [`Refused`] without a wrapper.
type BoxError = Box<dyn Error + Send + Sync>;

/// Connects to the host of a URL over TCP, directly or through the proxy.
#[derive(Clone, Debug)]
pub(super) struct GuardedConnector(Arc<Dialer>);

#[derive(Debug)]
struct Dialer {
    guard: Guard,
    proxy: Option<Proxy>,
    resolver: Arc<dyn Resolve>,
}

/// Why a connection could not be made.
#[derive(Debug, Error)]
enum DialError {
    #[error("connect through the proxy {proxy}")]
    Proxy { proxy: String, source: BoxError },
    #[error("no connection after {} seconds", CONNECT_TIMEOUT.as_secs())]
    TimedOut,
    #[error("the URL has no host")]
    NoHost,
}

impl GuardedConnector {
    pub(super) fn new(
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
    pub(super) async fn check(&self, endpoint: &Endpoint) -> Result<CheckedAddress, Refused> {
        let dialer = &self.0;
        match dialer.proxy {
            Some(_) => {
                dialer.guard.check_host(endpoint.host_name())?;
                Ok(CheckedAddress::Allowed)
            }
            None => {
                let resolver = dialer.resolver.as_ref();
                let host = endpoint.host_name();
                dialer.guard.resolve_and_check(host, resolver).await
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
                let resolver = self.resolver.as_ref();
                let addresses = self.guard.checked_addresses(host, resolver).await;
                Ok(tcp(addresses.map_err(unwrapped)?).call(uri).await?)
            }
            Some(proxy) => {
                self.guard.enforce(self.guard.check_host(host))?;
                self.tunnel(proxy, uri).await
            }
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
        let addresses = unchecked_addresses(host, self.resolver.as_ref()).await;
        let addresses = addresses.map_err(|error| failed(error.into()))?;
        let mut tunnel = Tunnel::new(proxy.uri().clone(), tcp(addresses));
        if let Some(authorization) = proxy.authorization() {
            tunnel = tunnel.with_auth(authorization.clone());
        }
        let connection = tunnel.call(with_port(uri)?).await;
        Ok(connection.map_err(|error| failed(error.into()))?)
    }
}

/// Returns the refusal of the guard without a wrapper.
fn unwrapped(error: AddressError) -> BoxError {
    match error {
        AddressError::Refused(refused) => refused.into(),
        error @ (AddressError::Resolve { .. } | AddressError::NoAddress { .. }) => error.into(),
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
