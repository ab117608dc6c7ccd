//! Suggests a known name for an unknown one.

/// The minimum similarity of a suggestion, from 0 to 1.
const MIN_SIMILARITY: f64 = 0.6;

/// Returns the known name that is most similar to `name`, if one is similar enough.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let similarity = |known| (strsim::normalized_damerau_levenshtein(name, known), known);
    let names = known.into_iter().map(similarity);
    names.filter(|(similarity, _)| *similarity >= MIN_SIMILARITY)
        // If two names are equally similar, the first in the alphabet is returned, so that the result is
        // deterministic.
        .max_by(|(left, first), (right, second)| left.total_cmp(right).then(second.cmp(first)))
        .map(|(_, known)| known)
}

/// Returns a question that suggests a known name, such as `; did you mean "id"?`. Empty if no known name
/// is similar.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    // Long names are slow to compare, and are unlikely to be typing errors.
    if name.len() > 128 {
        return String::new();
    }
    nearest(name, known).map_or_else(String::new, |known| format!("; did you mean {known:?}?"))
}
