//! What the lookout promises: every drift is seen, counted once, kept, and bounded.

#[cfg(test)]
mod counting;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod measuring;
#[cfg(test)]
mod release;
#[cfg(test)]
mod telling;
