//! Tests of the crate: rows without loss, and tables in a real PostgreSQL.

#[cfg(test)]
mod analytics;
#[cfg(test)]
mod campus;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod exactly_once;
#[cfg(test)]
mod inverse;
#[cfg(test)]
mod layouts;
#[cfg(test)]
mod ledbelly;
#[cfg(test)]
mod ledbelly_ddl;
#[cfg(test)]
mod lossless;
#[cfg(test)]
mod promote_auto;
#[cfg(test)]
mod rebuild;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod tls;
