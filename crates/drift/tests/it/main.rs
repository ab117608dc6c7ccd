//! Tests of the drift scanner: it finds all drift, counts it once, saves it, and bounds its records.

#[cfg(test)]
mod counting;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod measuring;
#[cfg(test)]
mod operator_events;
#[cfg(test)]
mod release;
