//! The listener for commands on this machine, if the server speaks TLS.
//!
//! Commands on this machine know the server by `local.json`, not by a name that a certificate could have. So
//! they use HTTP without TLS on a loopback address with a free port, which `local.json` names.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;

use crate::StartError;

/// Opens the listener for commands on this machine.
pub(crate) async fn listen() -> Result<(TcpListener, SocketAddr), StartError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        // A machine can have IPv6 alone.
        Err(source) => TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, 0)))
            .await
            .map_err(|_no_ipv6| source),
    };
    let listen_error = |source| StartError::Listen { address, source };
    let listener = listener.map_err(listen_error)?;
    let address = listener.local_addr().map_err(listen_error)?;
    Ok((listener, address))
}
