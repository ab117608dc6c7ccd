//! Tests of the whole server in one process: real HTTP, real SQLite, real webhooks.

#[cfg(test)]
mod access;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod caliper;
#[cfg(test)]
mod canvas_service;
#[cfg(test)]
mod document;
#[cfg(test)]
mod folder;
#[cfg(test)]
mod life;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod monitoring;
#[cfg(test)]
mod operator_events;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod passage;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod test_delivery;
#[cfg(test)]
mod test_server;
#[cfg(test)]
mod tls;
