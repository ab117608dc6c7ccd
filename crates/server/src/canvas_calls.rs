//! The calls of Canvas's own subscription client: on the main listener, or on one of their own.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use easel_access::Refusals;
use easel_api::audited;
use easel_audit::Audit;
use easel_canvas_service::{CanvasService, ServiceError, routes};
use easel_log::Clock;
use easel_subscriptions::Subscriptions;
use tokio::net::TcpListener;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::error;
use utoipa::openapi::OpenApi;

use crate::connections::Connections;
use crate::tls::Tls;
use crate::{Prepared, StartError};

/// The interval at which old deleted subscriptions are forgotten.
const UPKEEP: Duration = Duration::from_hours(1);

/// The calls of Canvas's own subscription client.
#[derive(Debug)]
pub(crate) struct CanvasCalls {
    service: CanvasService,
    /// The address of the listener of their own, and its connections.
    own: Option<(SocketAddr, Connections)>,
}

/// What the calls need from the server.
pub(crate) struct CanvasDeps<'a> {
    pub(crate) prepared: &'a Prepared,
    pub(crate) subscriptions: &'a Arc<Subscriptions>,
    pub(crate) refusals: &'a Arc<Refusals>,
    pub(crate) clock: &'a Arc<dyn Clock>,
    /// The listener of [`CanvasCalls::listen`].
    pub(crate) listener: Option<(TcpListener, SocketAddr)>,
    /// The TLS of that listener.
    pub(crate) tls: Option<Tls>,
    pub(crate) audit: &'a Arc<Audit>,
    pub(crate) changes: &'a TaskTracker,
}

impl CanvasCalls {
    /// Opens the listener of these calls, if the settings have one.
    pub(crate) async fn listen(
        prepared: &Prepared,
    ) -> Result<Option<(TcpListener, SocketAddr)>, StartError> {
        let address = prepared.config.canvas_service.listen;
        let Some(address) = address.filter(|_| prepared.canvas_verifier.is_some()) else {
            return Ok(None);
        };
        let listen_error = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        Ok(Some((listener, address)))
    }

    /// Creates the calls, if they are on. Returns the app of the main listener, which has their routes unless
    /// they have a listener of their own.
    pub(crate) fn new(deps: CanvasDeps<'_>, app: Router) -> (Option<Self>, Router) {
        let CanvasDeps {
            prepared,
            subscriptions,
            refusals,
            clock,
            listener,
            tls,
            audit,
            changes,
        } = deps;
        let Some(verifier) = &prepared.canvas_verifier else {
            return (None, app);
        };
        let service = CanvasService::new(
            Arc::clone(subscriptions),
            Arc::clone(&prepared.catalog),
            Arc::clone(clock),
        );
        let path = &prepared.config.canvas_service.path;
        let calls = routes(
            service.clone(),
            Arc::clone(verifier),
            Arc::clone(clock),
            (Arc::clone(refusals), path),
        );
        match listener {
            None => (Some(Self { service, own: None }), app.merge(calls)),
            Some((listener, address)) => {
                let calls = calls.fallback(async || ServiceError::UnknownPath);
                let (audit, changes) = (Arc::clone(audit), changes.clone());
                let calls = audited(calls, &OpenApi::default(), audit, changes);
                let own = Some((address, Connections::new(listener, calls).with_tls(tls)));
                (Some(Self { service, own }), app)
            }
        }
    }

    /// Returns the address of the listener of these calls, if they have one.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.own.as_ref().map(|(address, _)| *address)
    }

    /// Takes the connections of the listener of these calls, and the service.
    pub(crate) fn into_parts(self) -> (CanvasService, Option<Connections>) {
        (self.service, self.own.map(|(_, connections)| connections))
    }
}

/// Serves the connections of the listener of these calls until the stop, if there are any.
pub(crate) async fn serve(connections: Option<Connections>, stop: CancellationToken) {
    if let Some(connections) = connections {
        connections.serve(stop).await;
    }
}

/// Forgets old deleted subscriptions from time to time.
pub(crate) async fn upkeep(service: Option<CanvasService>) -> Infallible {
    let Some(service) = service else {
        return pending().await;
    };
    let mut tick = interval(UPKEEP);
    loop {
        tick.tick().await;
        if let Err(error) = service.forget_old().await {
            let error: &dyn std::error::Error = &error;
            error!(error, "old deleted subscriptions of canvas not forgotten");
        }
    }
}
