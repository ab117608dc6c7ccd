//! Creates the sinks of subscriptions, and checks the specs of sinks.

use std::sync::Arc;

use async_trait::async_trait;
use easel_deliver::MakeSink;
use easel_sinks::Endpoint;
use easel_subscriptions::{Epoch, SinkSpec, Spec, SpecCheck};

use crate::queues::Queues;
use crate::tables::Tables;
use crate::webhooks::Webhooks;

/// Creates the sinks of subscriptions. Clones share clients and keys.
#[derive(Clone, Debug)]
pub(crate) struct Sinks {
    pub(crate) webhooks: Webhooks,
    pub(crate) tables: Tables,
    pub(crate) queues: Queues,
}

impl Sinks {
    /// Returns a function that creates the sink of a subscription. A sink whose destination keeps the position
    /// refuses to write after another server with a greater epoch.
    pub(crate) fn make_sink(&self, epoch: Epoch) -> MakeSink {
        let sinks = self.clone();
        Box::new(move |subscription| match &subscription.spec.sink {
            SinkSpec::Webhook(_) => sinks.webhooks.make_sink(subscription),
            SinkSpec::Sql(sql) => {
                let sink = sinks.tables.make_sink(subscription, sql, epoch)?;
                Ok(Arc::new(sink))
            }
            SinkSpec::Sqs(sqs) => {
                let sink = sinks.queues.make_sink(&subscription.spec, sqs)?;
                Ok(Arc::new(sink))
            }
        })
    }
}

/// Validates everything of a sink that needs no network, except its address.
pub(crate) fn check_sink(spec: &Spec) -> Result<(), String> {
    match &spec.sink {
        SinkSpec::Webhook(_) => Webhooks::check(spec),
        SinkSpec::Sql(sql) => Tables::check(sql),
        SinkSpec::Sqs(sqs) => Queues::check(sqs),
    }
}

#[async_trait]
impl SpecCheck for Sinks {
    fn check(&self, spec: &Spec) -> Result<(), String> {
        check_sink(spec)
    }

    fn check_address(&self, spec: &Spec) -> Result<(), String> {
        match &spec.sink {
            SinkSpec::Webhook(_) => self.webhooks.check_address(spec),
            SinkSpec::Sql(sql) => self.tables.check_address(sql),
            // The address of a queue is the operator's, and belongs to AWS unless the operator sets another.
            SinkSpec::Sqs(_) => Ok(()),
        }
    }

    fn has_same_origin(&self, spec: &Spec, other: &Spec) -> bool {
        // The rest of a spec may not be valid yet.
        let endpoint = |spec: &Spec| Endpoint::parse(spec.sink.webhook()?.url.expose()).ok();
        match (endpoint(spec), endpoint(other)) {
            (Some(endpoint), Some(other)) => endpoint.has_same_origin(&other),
            // The only secret of tables is their URL, and it is kept only as a whole.
            _ => false,
        }
    }

    async fn check_resolved(&self, spec: &Spec) -> Result<(), String> {
        match &spec.sink {
            SinkSpec::Webhook(_) => self.webhooks.resolve(spec).await.map(drop),
            SinkSpec::Sql(sql) => self.tables.check_resolved(sql).await,
            SinkSpec::Sqs(_) => Ok(()),
        }
    }

    async fn prepare(&self, spec: &Spec) {
        self.webhooks.ensure_keys(std::slice::from_ref(spec)).await;
    }
}
