//! Who may come in: bearer tokens, scopes, and how a refusal is said.
//!
//! Pure decisions over what is held in memory; the only I/O is the token file, and only when a
//! token is made or removed. It knows neither events nor routes.

mod authorizer;
mod problem;
mod refusals;
mod scope;
mod token;
mod tokens;

pub use authorizer::{Authorizer, Caller, require_scope};
pub use problem::Problem;
pub use refusals::{Reason, Refusals, RefusedRequest};
pub use scope::{Scope, Scopes, UnknownScope};
pub use token::{Token, new_secret};
pub use tokens::{ACCESS_LAYOUT, Tokens, TokensError};
