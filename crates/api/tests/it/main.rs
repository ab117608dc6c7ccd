//! The API, request by request, on a memory log.

#[cfg(test)]
mod audit;
#[cfg(test)]
mod caliper;
#[cfg(test)]
mod catalog;
#[cfg(test)]
mod dead_letters;
#[cfg(test)]
mod deliveries;
#[cfg(test)]
mod document;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod replays;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod status;
#[cfg(test)]
mod subscriptions;
#[cfg(test)]
mod test_delivery;
#[cfg(test)]
mod tokens;
