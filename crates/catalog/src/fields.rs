//! Reads the values of an event's fields in one pass.

use crate::catalog::Catalog;
use crate::check::find_field;
use crate::event_type::EventType;
use crate::field::Field;
use crate::flaw::Flaw;
use crate::scanner::{Container, Scanner};

/// The values of the known fields of an event, as the event spells them. A null value counts as missing.
#[derive(Clone, Debug, Default)]
pub struct Fields<'a> {
    metadata: Vec<&'a [u8]>,
    body: Vec<&'a [u8]>,
}

impl Catalog {
    /// Reads the fields of `event`, which must be an admitted event of this type in its stored form.
    pub fn fields<'a>(&self, event_type: &EventType, event: &'a [u8]) -> Fields<'a> {
        let mut fields = Fields {
            metadata: vec![b"".as_slice(); self.metadata().len()],
            body: vec![b"".as_slice(); event_type.body.len()],
        };
        // An admitted event is valid JSON.
        let mut scanner = Scanner::new(event, usize::MAX);
        drop(self.read(event_type, &mut scanner, &mut fields));
        fields
    }

    fn read<'a>(
        &self,
        event_type: &EventType,
        scanner: &mut Scanner<'a>,
        fields: &mut Fields<'a>,
    ) -> Result<(), Flaw> {
        let mut has_entry = scanner.enter(Container::Object)?;
        while has_entry {
            let key = scanner.key()?;
            scanner.colon()?;
            match key.bytes().as_ref() {
                b"metadata" => members(scanner, self.metadata_fields(), &mut fields.metadata)?,
                b"body" => members(scanner, &event_type.body, &mut fields.body)?,
                _ => scanner.value()?,
            }
            has_entry = scanner.advance()?;
        }
        Ok(())
    }
}

impl<'a> Fields<'a> {
    /// Returns the value of the metadata field with this index in [`Catalog::metadata`].
    pub fn metadata(&self, index: usize) -> Option<&'a [u8]> {
        self.metadata
            .get(index)
            .copied()
            .filter(|value| !value.is_empty())
    }

    /// Returns the value of the body field with this index in [`EventType::body`].
    pub fn body(&self, index: usize) -> Option<&'a [u8]> {
        self.body
            .get(index)
            .copied()
            .filter(|value| !value.is_empty())
    }
}

fn members<'a>(
    scanner: &mut Scanner<'a>,
    fields: &[Field],
    found: &mut [&'a [u8]],
) -> Result<(), Flaw> {
    let mut next = 0;
    let mut has_entry = scanner.enter(Container::Object)?;
    while has_entry {
        let key = scanner.key()?;
        scanner.colon()?;
        let start = scanner.at();
        scanner.value()?;
        if let Some((index, _field)) = find_field(fields, &key.bytes(), next)
            && let Some(slot) = found.get_mut(index)
        {
            next = index + 1;
            let value = scanner.since(start);
            *slot = if value == b"null" { b"" } else { value };
        }
        has_entry = scanner.advance()?;
    }
    Ok(())
}
