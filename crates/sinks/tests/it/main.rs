//! Tests of the sinks with real servers.

#[cfg(test)]
mod connections;
#[cfg(test)]
mod envelopes;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod trial;
