//! Tests of the doors, called in process and with logs in memory.

#[cfg(test)]
mod doors;

#[cfg(test)]
mod changes;
#[cfg(test)]
mod counting;
#[cfg(test)]
mod hooks;
#[cfg(test)]
mod imports;
#[cfg(test)]
mod kinesis;
#[cfg(test)]
mod kinesis_calls;
#[cfg(test)]
mod kinesis_cbor;
#[cfg(test)]
mod kinesis_crowded;
#[cfg(test)]
mod kinesis_reading;
#[cfg(test)]
mod kinesis_signing;
#[cfg(test)]
mod native;
#[cfg(test)]
mod refusing_log;
#[cfg(test)]
mod retry;
