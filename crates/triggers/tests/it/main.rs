//! The rules of the triggers as tests.

#[cfg(test)]
mod changes;
#[cfg(test)]
mod corrections;
#[cfg(test)]
mod details;
#[cfg(test)]
mod gates;
#[cfg(test)]
mod made_up;
#[cfg(test)]
mod nullable;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod real_life;
#[cfg(test)]
mod seeds;
#[cfg(test)]
mod templates;
