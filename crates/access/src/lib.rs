//! Access control: bearer tokens with scopes, a reach, an expiry and limits, and tokens of the operator's own
//! identity provider. A refused request gets an HTTP problem as its answer, and is counted.
//!
//! Requests are checked in memory. The token file is read once at start, and written when a token changes. This
//! crate knows neither events nor routes, and it does not fetch the keys of the identity provider itself.
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
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
//! assert!(authorizer.authorize(&head, Scope::Ingest).await.is_ok());
//! let refused = authorizer.authorize(&head, Scope::Read).await;
//! assert_eq!(refused.unwrap_err().code(), "scope_missing");
//! # Ok(())
//! # }
//! ```

mod authorizer;
mod caller;
mod metered_body;
mod oidc;
mod oidc_rules;
mod peer;
mod problem;
mod rate_meter;
mod refusals;
mod scope;
mod token;
mod token_file;
mod token_map;
mod token_use;
mod tokens;
mod validity;

pub use authorizer::{Authorizer, require_everything, require_scope};
pub use caller::Caller;
pub use oidc::{Oidc, OidcKeys};
pub use oidc_rules::{ClaimValue, OidcRules};
pub use problem::Problem;
pub use rate_meter::TokenLimits;
pub use refusals::{Reason, Refusals, RefusedRequest};
pub use scope::{Scope, Scopes, UnknownScope};
pub use token::{Amendment, Token, TokenChange, TokenSettings, new_secret};
pub use token_file::ACCESS_LAYOUT;
pub use tokens::{ReadTime, Tokens, TokensError};
