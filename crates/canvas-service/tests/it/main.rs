//! The calls over HTTP, with tokens as Canvas makes them.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod life;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod token;
