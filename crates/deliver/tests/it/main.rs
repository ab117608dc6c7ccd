//! Tests of lanes, on a memory log with recording sinks and a paused clock.

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod histories;
#[cfg(test)]
mod holding;
#[cfg(test)]
mod hosts;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod parking;
#[cfg(test)]
mod reaches;
#[cfg(test)]
mod replays;
#[cfg(test)]
mod serving;
#[cfg(test)]
mod table;
