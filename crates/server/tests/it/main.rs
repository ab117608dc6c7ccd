//! The whole service in one process: real HTTP, real SQLite, real webhooks.

#[cfg(test)]
mod document;
#[cfg(test)]
mod house;
#[cfg(test)]
mod life;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod passage;
#[cfg(test)]
mod test_delivery;
