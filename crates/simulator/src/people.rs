//! Names of people and courses, and sample texts.

use crate::rng::Rng;

const FIRST_NAMES: [&str; 40] = [
    "Amina", "Anders", "Astrid", "Aya", "Bendik", "Camille", "Dalia", "David", "Eirik", "Elif",
    "Emre", "Fatou", "Goran", "Hanna", "Henrik", "Ida", "Ingrid", "Ivana", "Jakob", "Jonas",
    "Kari", "Kofi", "Lena", "Liv", "Lucas", "Maja", "Marit", "Mehdi", "Mia", "Nadia", "Nils",
    "Noor", "Ola", "Priya", "Rasmus", "Sara", "Sigrid", "Tariq", "Thea", "Yusuf",
];

const LAST_NAMES: [&str; 40] = [
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

/// The words of sample texts.
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

/// Returns a random first and last name.
pub(crate) fn name(rng: &mut Rng) -> (String, String) {
    (
        rng.choose_word(&FIRST_NAMES).to_owned(),
        rng.choose_word(&LAST_NAMES).to_owned(),
    )
}

/// Returns the name of a course: a subject and a number.
pub(crate) fn course(number: usize) -> String {
    let subject = SUBJECTS.get(number % SUBJECTS.len()).copied();
    format!(
        "{} {}",
        subject.unwrap_or_default(),
        1 + number / SUBJECTS.len()
    )
}

/// Returns a random file name.
pub(crate) fn file(rng: &mut Rng) -> String {
    format!("{}.pdf", title(rng))
}

/// Returns a random short title.
pub(crate) fn title(rng: &mut Rng) -> String {
    let words = [rng.choose_word(&WORDS), "and", rng.choose_word(&WORDS)];
    let mut title = words.join(" ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}

/// Returns an HTML paragraph of `words` random words.
pub(crate) fn paragraph(rng: &mut Rng, words: usize) -> String {
    let words: Vec<_> = (0..words).map(|_| rng.choose_word(&WORDS)).collect();
    format!("<p>{}.</p>", words.join(" "))
}
