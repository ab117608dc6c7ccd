//! Tests of the translation and the checker with published payloads and generated events.

#[cfg(test)]
mod iris;
#[cfg(test)]
mod json;
#[cfg(test)]
mod made_up;
#[cfg(test)]
mod masked;
#[cfg(test)]
mod mutations;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod pairs;
#[cfg(test)]
mod published;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod selectors;
#[cfg(test)]
mod versions;
