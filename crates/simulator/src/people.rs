//! What people and courses are called.

use crate::rng::Rng;

const GIVEN: [&str; 40] = [
    "Amina", "Anders", "Astrid", "Aya", "Bendik", "Camille", "Dalia", "David", "Eirik", "Elif",
    "Emre", "Fatou", "Goran", "Hanna", "Henrik", "Ida", "Ingrid", "Ivana", "Jakob", "Jonas",
    "Kari", "Kofi", "Lena", "Liv", "Lucas", "Maja", "Marit", "Mehdi", "Mia", "Nadia", "Nils",
    "Noor", "Ola", "Priya", "Rasmus", "Sara", "Sigrid", "Tariq", "Thea", "Yusuf",
];

const FAMILY: [&str; 40] = [
    "Aune",
    "Abdi",
    "Andersen",
    "Bakke",
    "Berg",
    "Brekke",
    "Dahl",
    "Demir",
    "Eide",
    "Farah",
    "Foss",
    "Gashi",
    "Hagen",
    "Haugen",
    "Holm",
    "Hussain",
    "Iversen",
    "Jovanovic",
    "Khan",
    "Lie",
    "Lund",
    "Mensah",
    "Moe",
    "Nguyen",
    "Nilsen",
    "Nordmann",
    "Osei",
    "Pettersen",
    "Rahman",
    "Ruud",
    "Sand",
    "Sharma",
    "Solberg",
    "Strand",
    "Tveit",
    "Vik",
    "Wang",
    "Yilmaz",
    "Zaman",
    "Ås",
];

const SUBJECTS: [&str; 24] = [
    "Algebra",
    "Anatomy",
    "Astronomy",
    "Botany",
    "Chemistry",
    "Composition",
    "Cryptography",
    "Drama",
    "Ecology",
    "Economics",
    "Ethics",
    "Genetics",
    "Geology",
    "Grammar",
    "History",
    "Linguistics",
    "Logic",
    "Mechanics",
    "Music",
    "Optics",
    "Pedagogy",
    "Statistics",
    "Thermodynamics",
    "Zoology",
];

/// What is learned, said, and written, to make texts of.
const WORDS: [&str; 32] = [
    "answer",
    "because",
    "between",
    "cell",
    "change",
    "compare",
    "describe",
    "energy",
    "example",
    "explain",
    "figure",
    "field",
    "growth",
    "limit",
    "measure",
    "model",
    "number",
    "order",
    "pattern",
    "point",
    "process",
    "proof",
    "question",
    "reason",
    "result",
    "sample",
    "source",
    "structure",
    "system",
    "theory",
    "value",
    "water",
];

pub(crate) fn name(chance: &mut Rng) -> (String, String) {
    (
        chance.word(&GIVEN).to_owned(),
        chance.word(&FAMILY).to_owned(),
    )
}

/// The name of a course: a subject and a number.
pub(crate) fn course(number: usize) -> String {
    let subject = SUBJECTS.get(number % SUBJECTS.len()).copied();
    format!(
        "{} {}",
        subject.unwrap_or_default(),
        1 + number / SUBJECTS.len()
    )
}

/// The name of a file.
pub(crate) fn file(chance: &mut Rng) -> String {
    format!("{}.pdf", title(chance))
}

/// A short title.
pub(crate) fn title(chance: &mut Rng) -> String {
    let words = [chance.word(&WORDS), "and", chance.word(&WORDS)];
    let mut title = words.join(" ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}

/// A paragraph of so many words, HTML.
pub(crate) fn paragraph(chance: &mut Rng, words: usize) -> String {
    let words: Vec<_> = (0..words).map(|_| chance.word(&WORDS)).collect();
    format!("<p>{}.</p>", words.join(" "))
}
