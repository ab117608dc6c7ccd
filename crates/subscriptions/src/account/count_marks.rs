//! A count that grows with the offsets, with its values at some offsets.

use easel_log::Offset;

/// The most marks. If there are more, every second one is dropped.
const MAX_MARKS: usize = 1_024;

/// A count that grows with the offsets. It remembers its value at the ends of blocks, but only at some of them if
/// there are many. So a value between two marks is only known to be at least that of the first.
#[derive(Clone, Debug, Default)]
pub struct CountMarks {
    count: u64,
    /// The count of the events before an offset, ascending.
    marks: Vec<(Offset, u64)>,
}

impl CountMarks {
    /// Sets the count of the events before `to`. Neither may decrease.
    pub fn set(&mut self, to: Offset, count: u64) {
        if count == self.count {
            return;
        }
        self.count = count;
        if self.marks.len() >= MAX_MARKS {
            let mut is_first = false;
            self.marks.retain(|_| {
                is_first = !is_first;
                !is_first
            });
        }
        self.marks.push((to, count));
    }

    /// Returns the same count, greater by `more`.
    pub(super) fn plus(&self, more: u64) -> Self {
        let marks = self.marks.iter();
        Self {
            count: self.count + more,
            marks: marks
                .map(|(offset, count)| (*offset, count + more))
                .collect(),
        }
    }

    /// Returns the latest count.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Returns how many events are known to be before `to`.
    pub(super) fn count_before(&self, to: Offset) -> u64 {
        let later = self.marks.partition_point(|(offset, _)| *offset <= to);
        let known = later.checked_sub(1).and_then(|index| self.marks.get(index));
        known.map_or(0, |(_, count)| *count)
    }

    /// Returns the last offset of the block that has the event after the first `count` events.
    pub(super) fn offset_after(&self, count: u64) -> Option<Offset> {
        let first = self.marks.partition_point(|(_, known)| *known <= count);
        let (end, _) = self.marks.get(first)?;
        end.get().checked_sub(1).map(Offset::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_exact_at_its_marks_and_a_lower_bound_between_them() {
        let mut marks = CountMarks::default();
        for block in 1..=3_000 {
            marks.set(Offset::new(block * 10), block * 2);
            marks.set(Offset::new(block * 10 + 5), block * 2);
        }
        assert!(marks.marks.len() <= MAX_MARKS);
        assert_eq!(marks.count(), 6_000);
        assert_eq!(marks.count_before(Offset::ZERO), 0);
        assert_eq!(marks.count_before(Offset::new(40_000)), 6_000);
        let mut last = 0;
        for offset in 0..30_100 {
            let known = marks.count_before(Offset::new(offset));
            assert!(
                last <= known && known <= offset / 10 * 2,
                "{offset} {known}"
            );
            last = known;
        }
        let after = marks.offset_after(5_999).unwrap().get();
        assert_eq!(after, 29_999);
        assert_eq!(marks.offset_after(6_000), None);
    }
}
