//! The place of a quarantined record, at the end of its detail.

/// Returns the end of the detail of a record at this place.
pub(super) fn place_text(location: &str, at: u64) -> String {
    format!("; in {location} at byte {at}")
}

/// Returns the place of a record in the file at `location`, or `None` if the record is from elsewhere.
pub(super) fn place_in(location: &str, detail: &str) -> Option<u64> {
    let (_, at) = detail.rsplit_once(" at byte ")?;
    let at = at.parse().ok()?;
    detail.ends_with(&place_text(location, at)).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_only_for_its_file() {
        let detail = format!("no `body` at byte 3{}", place_text("/a at byte 1", 70));
        assert_eq!(place_in("/a at byte 1", &detail), Some(70));
        assert_eq!(place_in("/a", &detail), None);
        assert_eq!(place_in("/a", "broken"), None);
    }
}
