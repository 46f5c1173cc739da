//! Time as an argument.

use std::time::{Duration, UNIX_EPOCH};

/// One moment on both clocks.
///
/// Deadlines are kept on the monotonic clock, which no one can set back. Expiry of a token is
/// compared on the wall clock too, because the monotonic one may stand still while a laptop sleeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Time since the process started, on the monotonic clock.
    pub uptime: Duration,
    /// Seconds since 1970, on the wall clock.
    pub unix: u64,
}

impl Moment {
    /// The moment on the monotonic clock that is `wait` away.
    pub fn after(self, wait: Duration) -> Duration {
        self.uptime.saturating_add(wait)
    }

    /// Whether `deadline` has come.
    pub fn reached(self, deadline: Duration) -> bool {
        deadline <= self.uptime
    }
}

/// A moment to come, on both clocks. It has come when either of them says so: the monotonic clock
/// may stand still while a laptop sleeps, and the wall clock may be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    uptime: Duration,
    unix: u64,
}

impl Due {
    /// In so many seconds.
    pub fn after(seconds: u64, now: Moment) -> Self {
        Self {
            uptime: now.after(Duration::from_secs(seconds)),
            unix: now.unix.saturating_add(seconds),
        }
    }

    /// At this time of the wall clock, and after at most `seconds` whatever that clock says.
    pub fn at(unix: u64, seconds: u64, now: Moment) -> Self {
        let wait = unix.saturating_sub(now.unix).min(seconds);
        Self { uptime: now.after(Duration::from_secs(wait)), unix }
    }

    /// Whether it has come.
    pub fn reached(self, now: Moment) -> bool {
        now.reached(self.uptime) || self.unix <= now.unix
    }

    /// When to look, as uptime. Now and then in between, because a clock that is set wakes nobody.
    pub fn deadline(self, now: Moment) -> Duration {
        let by_wall = now.after(Duration::from_secs(self.unix.saturating_sub(now.unix)));
        self.uptime.min(by_wall).min(now.after(LOOK))
    }
}

/// A time in the form of RFC 3339, in UTC.
pub fn date(unix: u64) -> String {
    let (days, seconds) = (unix / 86_400, unix % 86_400);
    // The proleptic Gregorian calendar, counted from March so that the leap day comes last.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year + era * 400 + carry;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Seconds since 1970 of an HTTP date, in any of its three forms (RFC 9110 §5.6.7).
pub fn http_date(text: &str) -> Option<u64> {
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

/// How late the end of a sleep may be noticed while nobody asks for anything: rare enough to cost
/// nothing.
const LOOK: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (unix, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_651_506, "2026-11-26T00:05:06Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(date(unix), text);
        }
    }

    #[test]
    fn dates_of_http() {
        for (text, unix) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Tue, 29 Feb 2000 23:59:59 GMT", Some(951_868_799)),
            ("Thu, 26 Nov 2026 00:05:06 GMT", Some(1_795_651_506)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
            ("Sun, 06 Xxx 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 06 Nov 0094 08:49:37 GMT", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(http_date(text), unix, "{text}");
        }
    }

    #[test]
    fn either_clock_will_do() {
        let start = Moment { uptime: Duration::from_secs(10), unix: 1_000_000 };
        let due = Due::at(1_003_600, 3600, start);
        let at = |uptime, unix| Moment { uptime: Duration::from_secs(uptime), unix };
        assert!(!due.reached(at(3609, 1_003_599)));
        assert!(due.reached(at(3610, 1_003_599)), "the wall clock was set back");
        assert!(due.reached(at(11, 1_003_600)), "the monotonic clock has slept");
        assert_eq!(due.deadline(start), Duration::from_secs(310), "somebody looks now and then");
        assert_eq!(due.deadline(at(3600, 900_000)), Duration::from_secs(3610));
        // Written by a clock that was ahead.
        assert!(Due::at(9_000_000, 60, start).reached(at(70, 1_000_060)));
    }
}
