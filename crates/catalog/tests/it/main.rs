//! Tests of the catalogue's public API, with models and published payloads.

#[cfg(test)]
mod admission;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod declared;
#[cfg(test)]
mod derived;
#[cfg(test)]
mod facts;
#[cfg(test)]
mod hosted;
#[cfg(test)]
mod json;
#[cfg(test)]
mod own_files;
#[cfg(test)]
mod payloads;
#[cfg(test)]
mod published;
#[cfg(test)]
mod split;
#[cfg(test)]
mod timestamp;
#[cfg(test)]
mod url_masker;
#[cfg(test)]
mod values;
