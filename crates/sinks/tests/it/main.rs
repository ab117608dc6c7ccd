//! Tests of the sinks with real servers.

#[cfg(test)]
mod connections;
#[cfg(test)]
mod dial_log;
#[cfg(test)]
mod envelopes;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod guard;
#[cfg(test)]
mod names;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod reflections;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod signing;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod trial;
