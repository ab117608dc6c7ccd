//! The fields of one event, found in one pass.

use crate::catalog::Catalog;
use crate::check::find;
use crate::event_type::EventType;
use crate::fault::Flaw;
use crate::field::Field;
use crate::scanner::{Container, Scanner};

/// The fields that an event has of those the catalogue knows, as the event spells their values.
///
/// A field that is null counts as absent.
#[derive(Clone, Debug, Default)]
pub struct Fields<'a> {
    metadata: Vec<&'a [u8]>,
    body: Vec<&'a [u8]>,
}

impl Catalog {
    /// Finds the fields of `event`, an admitted event of type `of`, in its stored form.
    pub fn fields<'a>(&self, of: &EventType, event: &'a [u8]) -> Fields<'a> {
        let mut fields = Fields {
            metadata: vec![b"".as_slice(); self.metadata().len()],
            body: vec![b"".as_slice(); of.body.len()],
        };
        // What is no JSON was not admitted.
        drop(self.read(of, &mut Scanner::new(event, usize::MAX), &mut fields));
        fields
    }

    fn read<'a>(
        &self,
        of: &EventType,
        scanner: &mut Scanner<'a>,
        fields: &mut Fields<'a>,
    ) -> Result<(), Flaw> {
        let mut entry = scanner.enter(Container::Object)?;
        while entry {
            let key = scanner.key()?;
            scanner.colon()?;
            match key.bytes().as_ref() {
                b"metadata" => members(scanner, self.metadata_fields(), &mut fields.metadata)?,
                b"body" => members(scanner, &of.body, &mut fields.body)?,
                _ => scanner.value()?,
            }
            entry = scanner.advance()?;
        }
        Ok(())
    }
}

impl<'a> Fields<'a> {
    /// The value of the field of the metadata with this index in [`Catalog::metadata`].
    pub fn metadata(&self, index: usize) -> Option<&'a [u8]> {
        self.metadata
            .get(index)
            .copied()
            .filter(|it| !it.is_empty())
    }

    /// The value of the field of the body with this index in the event type's.
    pub fn body(&self, index: usize) -> Option<&'a [u8]> {
        self.body.get(index).copied().filter(|it| !it.is_empty())
    }
}

fn members<'a>(
    scanner: &mut Scanner<'a>,
    fields: &[Field],
    found: &mut [&'a [u8]],
) -> Result<(), Flaw> {
    let mut next = 0;
    let mut entry = scanner.enter(Container::Object)?;
    while entry {
        let key = scanner.key()?;
        scanner.colon()?;
        let start = scanner.at();
        scanner.value()?;
        if let Some((index, _field)) = find(fields, &key.bytes(), next)
            && let Some(place) = found.get_mut(index)
        {
            next = index + 1;
            let value = scanner.since(start);
            *place = if value == b"null" { b"" } else { value };
        }
        entry = scanner.advance()?;
    }
    Ok(())
}
