//! House rules as tests: what clippy cannot know about this workspace.

#[cfg(test)]
mod arrows;
#[cfg(test)]
mod circles;
#[cfg(test)]
mod core;
#[cfg(test)]
mod files;
#[cfg(test)]
mod names;
#[cfg(test)]
mod rooms;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod values;
#[cfg(test)]
mod workspace;
