//! An additional validation of specs, which the server provides.

use async_trait::async_trait;

use crate::Spec;

/// An additional validation of specs. An invalid spec is rejected before it is stored.
#[async_trait]
pub trait SpecCheck: Send + Sync + 'static {
    /// Validates everything that needs no network, except the address of the endpoint.
    fn check(&self, spec: &Spec) -> Result<(), String>;

    /// Rejects an endpoint whose URL contains an address that the address guard refuses.
    fn check_address(&self, spec: &Spec) -> Result<(), String>;

    /// Returns true if the endpoints of two specs have the same scheme, host and port. False if one of them is
    /// invalid.
    fn has_same_origin(&self, spec: &Spec, other: &Spec) -> bool;

    /// Rejects an endpoint whose name resolves to an address that the address guard refuses. Accepts a name
    /// that does not resolve, because its address is checked again before each connection.
    async fn check_resolved(&self, spec: &Spec) -> Result<(), String>;

    /// Prepares what a valid spec needs, such as signing keys.
    async fn prepare(&self, _spec: &Spec) {}
}

/// Accepts every spec, for tests.
#[async_trait]
impl SpecCheck for () {
    fn check(&self, _spec: &Spec) -> Result<(), String> {
        Ok(())
    }

    fn check_address(&self, _spec: &Spec) -> Result<(), String> {
        Ok(())
    }

    fn has_same_origin(&self, spec: &Spec, other: &Spec) -> bool {
        spec.sink == other.sink
    }

    async fn check_resolved(&self, _spec: &Spec) -> Result<(), String> {
        Ok(())
    }
}
