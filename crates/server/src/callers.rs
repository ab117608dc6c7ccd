//! Authenticates callers: the tokens, and the token for commands on this machine.

use std::path::Path;
use std::sync::Arc;

use easel_access::{Authorizer, Refusals, Tokens, TokensError};
use easel_keys::Secret;

use crate::Auth;

/// The tokens, and the checks of requests.
#[derive(Debug)]
pub(crate) struct Callers {
    pub(crate) tokens: Arc<Tokens>,
    /// The token for commands on this machine. Every start creates a new one.
    pub(crate) local_token: Secret<String>,
    pub(crate) refusals: Arc<Refusals>,
    pub(crate) authorizer: Authorizer,
}

impl Callers {
    /// Opens the tokens in `file`.
    pub(crate) fn open(file: &Path, auth: Auth) -> Result<Self, TokensError> {
        let tokens = Arc::new(Tokens::open(file)?);
        let local_token = easel_access::new_secret()?;
        let refusals = Arc::new(Refusals::new());
        let authorizer = match auth {
            Auth::Tokens => Authorizer::new(Arc::clone(&tokens)).with_local_token(&local_token),
            Auth::None => Authorizer::without_tokens(),
        };
        Ok(Self {
            tokens,
            local_token,
            authorizer: authorizer.with_refusals(Arc::clone(&refusals)),
            refusals,
        })
    }
}
