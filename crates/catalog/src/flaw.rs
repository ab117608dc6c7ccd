//! Flaws: faults with a byte position instead of a full place.

use std::borrow::Cow;

use crate::fault_code::FaultCode;

/// A fault with a byte position instead of a full place.
#[derive(Debug)]
pub(crate) struct Flaw {
    pub(crate) code: FaultCode,
    pub(crate) byte: usize,
    pub(crate) message: Cow<'static, str>,
}

impl Flaw {
    pub(crate) fn new(code: FaultCode, byte: usize, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            byte,
            message: message.into(),
        }
    }
}
