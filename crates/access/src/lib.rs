//! Access control: bearer tokens and scopes. A refused request gets an HTTP problem as its answer, and
//! is counted.
//!
//! Requests are checked in memory. The token file is read once at start, and written when a token is
//! created or removed. This crate knows neither events nor routes.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::{path::Path, sync::Arc};
//! use axum::http::Request;
//! use easel_access::{Authorizer, Scope, Tokens};
//!
//! let tokens = Tokens::open(Path::new(":memory:"))?;
//! let scopes = [Scope::Ingest].into_iter().collect();
//! let (_token, secret) = tokens.create("canvas", scopes, jiff::Timestamp::now())?;
//!
//! let authorizer = Authorizer::new(Arc::new(tokens));
//! let bearer = format!("Bearer {}", secret.expose());
//! let (head, ()) = Request::builder().header("authorization", bearer).body(())?.into_parts();
//! assert!(authorizer.authorize(&head, Scope::Ingest).is_ok());
//! assert_eq!(authorizer.authorize(&head, Scope::Read).unwrap_err().code(), "scope_missing");
//! # Ok(())
//! # }
//! ```

mod authorizer;
mod problem;
mod refusals;
mod scope;
mod token;
mod tokens;

pub use authorizer::{Authorizer, Caller, require_everything, require_scope};
pub use problem::Problem;
pub use refusals::{Reason, Refusals, RefusedRequest};
pub use scope::{Scope, Scopes, UnknownScope};
pub use token::{Token, new_secret};
pub use tokens::{ACCESS_LAYOUT, Tokens, TokensError};
