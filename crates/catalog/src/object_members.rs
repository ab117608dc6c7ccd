//! Reads the members of objects whose keys must differ.

use std::borrow::Cow;

use crate::fault_code::FaultCode;
use crate::flaw::Flaw;
use crate::raw_text::RawText;
use crate::scanner::{Container, Scanner};
use crate::seen_keys::SeenKeys;

/// Moves past a colon and a value.
pub(crate) fn skip(scanner: &mut Scanner<'_>) -> Result<(), Flaw> {
    scanner.colon()?;
    scanner.value()
}

/// Reads an object whose keys must differ. Calls `member` after each key, before the colon. `member`
/// must move past the colon and the value.
pub(crate) fn members<'a>(
    scanner: &mut Scanner<'a>,
    mut member: impl FnMut(&mut Scanner<'a>, RawText<'a>) -> Result<(), Flaw>,
) -> Result<(), Flaw> {
    let mut keys = SeenKeys::default();
    let mut has_entry = scanner.enter(Container::Object)?;
    while has_entry {
        let key = scanner.key()?;
        if !keys.insert(key.bytes()) {
            let message = "the key must not appear twice in its object";
            return Err(Flaw::new(FaultCode::DuplicateKey, key.at, message));
        }
        member(scanner, key)?;
        has_entry = scanner.advance()?;
    }
    Ok(())
}

/// Rejects a value that is not an object, with this code and message. Does not move past an object.
pub(crate) fn must_be_object(
    scanner: &mut Scanner<'_>,
    code: FaultCode,
    message: &'static str,
) -> Result<(), Flaw> {
    let start = scanner.at();
    if scanner.peek() == Some(b'{') {
        return Ok(());
    }
    scanner.value()?;
    Err(Flaw::new(code, start, message))
}

/// Moves past a value. Returns the value if it is a string.
pub(crate) fn value_if_string<'a>(scanner: &mut Scanner<'a>) -> Result<Option<RawText<'a>>, Flaw> {
    if scanner.peek() == Some(b'"') {
        return scanner.string().map(Some);
    }
    scanner.value()?;
    Ok(None)
}

/// Moves past a value. Returns the value if it is a string or a number.
pub(crate) fn string_or_number<'a>(
    scanner: &mut Scanner<'a>,
) -> Result<Option<Cow<'a, str>>, Flaw> {
    let start = scanner.at();
    match scanner.peek() {
        Some(b'"') => Ok(scanner.string()?.decode()),
        Some(b'-' | b'0'..=b'9') => {
            scanner.value()?;
            Ok(str::from_utf8(scanner.since(start)).ok().map(Cow::Borrowed))
        }
        _ => {
            scanner.value()?;
            Ok(None)
        }
    }
}
