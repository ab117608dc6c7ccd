//! Which known name was probably meant.

/// The least likeness, from 0 to 1, of a name that was probably meant.
const MIN_LIKENESS: f64 = 0.6;

/// The known name that is most like `name`, if any is like it.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |known| (strsim::normalized_damerau_levenshtein(name, known), known);
    let near = known.into_iter().map(likeness);
    near.filter(|(likeness, _)| *likeness >= MIN_LIKENESS)
        // Of two that are as like it, the answer is always the same.
        .max_by(|(one, first), (other, second)| one.total_cmp(other).then(second.cmp(first)))
        .map(|(_, known)| known)
}

/// The question that follows an unknown name; empty where no known name is like it.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    // Long names are slow to compare and are no slips of the pen.
    if name.len() > 128 {
        return String::new();
    }
    nearest(name, known).map_or_else(String::new, |known| format!("; did you mean {known:?}?"))
}
