//! Secret values that are never printed.
//!
//! Only [`Secret::expose`] returns the value of a [`Secret`], so the value cannot reach a log line, a
//! panic message or a `Debug` output by accident. A [`SecretUrl`] also has a public part. A
//! [`SigningKey`] signs AWS requests. Stored secrets are not encrypted yet.
//!
//! ```
//! use easel_keys::{Secret, SecretUrl};
//!
//! let secret = Secret::new("hunter2");
//! assert_eq!(format!("{secret:?}"), "…");
//! assert_eq!(*secret.expose(), "hunter2");
//!
//! let url = SecretUrl::new("https://ida:hunter2@a.example/hook?key=1");
//! assert_eq!(url.without_secrets(), "https://a.example/hook");
//! assert!(!format!("{url:?}").contains("hunter2"));
//! ```

mod secret;
mod secret_url;
mod sigv4;

pub use secret::Secret;
pub use secret_url::SecretUrl;
pub use sigv4::SigningKey;
