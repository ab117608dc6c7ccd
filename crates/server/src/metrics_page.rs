//! The page of metrics in the text format of Prometheus, and the part of the page that a confined caller sees.

use std::collections::HashSet;

/// The label with the full name of a subscription.
const SUBSCRIPTION: &str = "subscription";

/// Returns the part of a page with the series of these subscriptions. Series without the label `subscription`
/// count what all root accounts do, so they are left out, and so are metrics without a series.
pub(crate) fn only_series_of(page: &str, subscriptions: &HashSet<String>) -> String {
    let mut part = String::new();
    // The comments of a metric, until its first series is written.
    let mut comments: Vec<&str> = Vec::new();
    let mut is_in_series = false;
    for line in page.lines().filter(|line| !line.is_empty()) {
        if line.starts_with('#') {
            if is_in_series {
                comments.clear();
            }
            is_in_series = false;
            comments.push(line);
            continue;
        }
        is_in_series = true;
        if label(line, SUBSCRIPTION).is_some_and(|name| subscriptions.contains(&name)) {
            if !part.is_empty() && !comments.is_empty() {
                part.push('\n');
            }
            for line in comments.drain(..).chain([line]) {
                part.extend([line, "\n"]);
            }
        }
    }
    part
}

/// Returns the value of a label of a series.
fn label(series: &str, name: &str) -> Option<String> {
    let (_metric, mut rest) = series.split_once('{')?;
    loop {
        let (found, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        if found == name {
            return Some(value);
        }
        rest = after.strip_prefix(',')?;
    }
}

/// Returns the text before the closing quote, without escapes, and what follows the quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => match letters.next()?.1 {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            letter => value.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# HELP easel_a_total Counts all.
# TYPE easel_a_total counter
easel_a_total{door=\"native\"} 7

# HELP easel_b_total Counts by subscription.
# TYPE easel_b_total counter
easel_b_total{subscription=\"mine\",outcome=\"delivered\"} 1
easel_b_total{subscription=\"theirs\",outcome=\"delivered\"} 2
easel_b_total{outcome=\"delivered\",subscription=\"mine@7\"} 3

# TYPE easel_c gauge
easel_c{subscription=\"theirs\"} 4
easel_c{subscription=\"other\"} 5
easel_c{note=\",subscription=\\\"mine\\\"\"} 6

# HELP easel_d Has no label.
# TYPE easel_d gauge
easel_d 1
# HELP easel_e By subscription.
# TYPE easel_e histogram
easel_e_bucket{subscription=\"mine\",le=\"+Inf\"} 8
easel_e_count{subscription=\"mine\"} 9
";

    #[test]
    fn a_confined_page_has_only_the_series_of_the_subscriptions() {
        let names = HashSet::from(["mine".to_owned()]);
        let wanted = "\
# HELP easel_b_total Counts by subscription.
# TYPE easel_b_total counter
easel_b_total{subscription=\"mine\",outcome=\"delivered\"} 1

# HELP easel_e By subscription.
# TYPE easel_e histogram
easel_e_bucket{subscription=\"mine\",le=\"+Inf\"} 8
easel_e_count{subscription=\"mine\"} 9
";
        assert_eq!(only_series_of(PAGE, &names), wanted);
        assert_eq!(only_series_of(PAGE, &HashSet::new()), "");
        let names = HashSet::from(["mine@7".to_owned()]);
        let page = only_series_of(PAGE, &names);
        assert_eq!(page.lines().count(), 3, "{page}");
        assert!(page.ends_with("mine@7\"} 3\n"), "{page}");
    }
}
