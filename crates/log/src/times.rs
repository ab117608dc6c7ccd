//! The encoding of the times of a block's records: usually one or two bytes per time.
//!
//! The first byte is the unit: 0 for milliseconds, 1 for microseconds, 2 for nanoseconds. It is the
//! coarsest unit that loses nothing. Then each record has one number. It is 0 if the record has no
//! time of its own. Otherwise it is 1 plus the zigzag-encoded difference (0, −1, 1, −2, …) to the
//! previous time, in that unit. The first difference is to 1970. A number is a varint: 7 bits per
//! byte, low bits first, and the high bit means that another byte follows.

use jiff::Timestamp;

/// The unit in which times are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum TimeUnit {
    Millisecond,
    Microsecond,
    Nanosecond,
}

impl TimeUnit {
    const ALL: [Self; 3] = [Self::Millisecond, Self::Microsecond, Self::Nanosecond];

    /// Returns the coarsest unit that represents this time exactly.
    fn coarsest_for(time: Timestamp) -> Self {
        let nanoseconds = time.subsec_nanosecond();
        if nanoseconds % 1_000_000 == 0 {
            Self::Millisecond
        } else if nanoseconds % 1_000 == 0 {
            Self::Microsecond
        } else {
            Self::Nanosecond
        }
    }

    /// Returns the number of units from 1970 to this time.
    fn count(self, time: Timestamp) -> i128 {
        match self {
            Self::Millisecond => time.as_millisecond().into(),
            Self::Microsecond => time.as_microsecond().into(),
            Self::Nanosecond => time.as_nanosecond(),
        }
    }

    /// Returns the time that is this number of units after 1970.
    fn time(self, count: i128) -> Option<Timestamp> {
        let time = match self {
            Self::Millisecond => Timestamp::from_millisecond(i64::try_from(count).ok()?),
            Self::Microsecond => Timestamp::from_microsecond(i64::try_from(count).ok()?),
            Self::Nanosecond => Timestamp::from_nanosecond(count),
        };
        time.ok()
    }
}

/// Encodes times.
pub(crate) fn write(times: &[Option<Timestamp>], out: &mut Vec<u8>) {
    let units = times
        .iter()
        .flatten()
        .map(|time| TimeUnit::coarsest_for(*time));
    let unit = units.max().unwrap_or(TimeUnit::Millisecond);
    let code = TimeUnit::ALL
        .iter()
        .zip(0..)
        .find(|(candidate, _)| **candidate == unit);
    out.push(code.map_or(0, |(_, code)| code));
    let mut previous = 0;
    for time in times {
        let Some(time) = time else {
            out.push(0);
            continue;
        };
        let count = unit.count(*time);
        let difference = count - previous;
        previous = count;
        // The difference between any two times is small enough for this.
        let zigzag = (difference << 1 ^ difference >> 127).cast_unsigned();
        write_number(zigzag + 1, out);
    }
}

/// Decodes `count` times, or returns `None` if the bytes are invalid.
pub(crate) fn read(bytes: &[u8], count: usize) -> Option<Vec<Option<Timestamp>>> {
    let (code, mut rest) = bytes.split_first()?;
    let unit = *TimeUnit::ALL.get(usize::from(*code))?;
    // Each time takes at least one byte.
    if rest.len() < count {
        return None;
    }
    let mut previous = 0_i128;
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let Some(zigzag) = read_number(&mut rest)?.checked_sub(1) else {
            times.push(None);
            continue;
        };
        let difference = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
        previous = previous.checked_add(difference)?;
        times.push(Some(unit.time(previous)?));
    }
    rest.is_empty().then_some(times)
}

fn write_number(mut number: u128, out: &mut Vec<u8>) {
    while let Some(more) = Some(number >> 7).filter(|more| *more > 0) {
        out.push(low_bits(number) | 0x80);
        number = more;
    }
    out.push(low_bits(number));
}

fn low_bits(number: u128) -> u8 {
    number.to_le_bytes()[0] & 0x7f
}

fn read_number(rest: &mut &[u8]) -> Option<u128> {
    let mut number = 0;
    for shift in (0..126).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u128::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(times: &[Option<&str>], bytes_len: usize) {
        let parse = |time: &&str| time.parse().expect("a time");
        let times: Vec<Option<Timestamp>> =
            times.iter().map(|time| time.as_ref().map(parse)).collect();
        let mut bytes = Vec::new();
        write(&times, &mut bytes);
        assert_eq!(bytes.len(), bytes_len, "{times:?}");
        assert_eq!(read(&bytes, times.len()).as_ref(), Some(&times));
        assert_eq!(read(&bytes, times.len() + 1), None);
        assert_eq!(read(&[&bytes[..], &[1]].concat(), times.len()), None);
    }

    #[test]
    fn close_times_take_one_or_two_bytes() {
        check(&[], 1);
        check(&[None, None], 3);
        let first = Some("2025-03-03T08:00:00.123Z");
        check(&[first], 1 + 6);
        check(&[first, first, None, first], 1 + 6 + 3);
        check(&[first, Some("2025-03-03T08:00:00.100Z")], 1 + 6 + 1);
        check(&[first, Some("2025-03-03T08:00:05.123Z")], 1 + 6 + 2);
        check(&[first, Some("2025-03-03T08:00:00.123001Z")], 1 + 8 + 1);
        check(&[first, Some("2025-03-03T08:00:00.123000001Z")], 1 + 9 + 1);
    }

    #[test]
    fn the_minimum_and_maximum_time_fit() {
        let ends = ["-009999-01-02T01:59:59Z", "9999-12-30T22:00:00.999999999Z"];
        check(
            &[Some(ends[0]), Some(ends[1]), Some(ends[0])],
            1 + 10 + 11 + 11,
        );
    }

    #[test]
    fn invalid_bytes_are_rejected() {
        for bytes in [
            &[][..],
            &[3, 1],
            &[0],
            &[0, 0x80],
            &[0xff; 30],
            &[
                0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
            ],
        ] {
            assert_eq!(read(bytes, 1), None, "{bytes:?}");
        }
    }
}
