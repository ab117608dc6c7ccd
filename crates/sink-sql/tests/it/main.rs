//! Tests of the crate with a real PostgreSQL.
