//! Lines that say nothing: comments, and fields that nobody knows (WHATWG HTML §9.2.6).
//!
//! They are taken out before anything is counted or decoded. A comment is no part of an event, so
//! the limit on one must not begin anew with it; a stream of nothing else may go on for ever; and
//! one of the decoders gives up at a block that has only fields which it does not know.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// The fields that an event has.
const FIELDS: [&[u8]; 4] = [b"data", b"event", b"id", b"retry"];
/// A stream may begin with it, and no line of it then does.
const MARK: &[u8] = b"\xef\xbb\xbf";
/// A longer line names no wait: its number cannot be held.
const LONGEST_RETRY: usize = 32;

/// Takes out of a stream, chunk by chunk, what says nothing.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Whether the beginning of the stream is past.
    begun: bool,
    /// The beginning of a line of which it cannot be told yet what it is: a few bytes.
    held: BytesMut,
    line: Line,
    /// Whether the last line that was taken out ended with the first half of `\r\n`.
    half: bool,
    /// What stands behind `retry` so far.
    retry: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Line {
    #[default]
    Begins,
    Kept,
    Retry,
    Dropped,
}

/// What is left of a chunk, and what was seen in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sifted {
    pub(super) bytes: Bytes,
    /// Whether there was a comment.
    pub(super) comment: bool,
    /// The last wait that was named.
    pub(super) retry: Option<u64>,
}

/// What a line is, by its first bytes.
enum Verdict {
    Field,
    Retry,
    /// It says nothing.
    Nothing,
    /// More of it must come.
    Open,
}

fn judge(line: &[u8]) -> Verdict {
    match line.first() {
        None => return Verdict::Open,
        Some(b':') => return Verdict::Nothing,
        Some(b'\n' | b'\r') => return Verdict::Field,
        Some(_) => {}
    }
    for field in FIELDS {
        match line.strip_prefix(field) {
            Some([b':' | b'\n' | b'\r', ..]) if field == b"retry" => return Verdict::Retry,
            Some([b':' | b'\n' | b'\r', ..]) => return Verdict::Field,
            Some([]) => return Verdict::Open,
            None if field.starts_with(line) => return Verdict::Open,
            _ => {}
        }
    }
    Verdict::Nothing
}

impl Lines {
    /// The next chunk without what says nothing; one that is all events is not copied.
    pub(super) fn chunk(&mut self, chunk: Bytes) -> Sifted {
        let chunk = if self.held.is_empty() {
            chunk
        } else {
            let mut whole = std::mem::take(&mut self.held);
            whole.extend_from_slice(&chunk);
            whole.freeze()
        };
        let mut sifted = Sifted::default();
        let mut kept: Vec<Range<usize>> = Vec::new();
        let mut rest: &[u8] = &chunk;
        while !rest.is_empty() {
            if self.line == Line::Begins && !self.begin(&mut rest, &mut sifted) {
                break;
            }
            let from = chunk.len() - rest.len();
            let end = memchr::memchr2(b'\n', b'\r', rest).map(|end| end + 1);
            let (piece, after) = rest.split_at(end.unwrap_or(rest.len()));
            rest = after;
            match self.line {
                Line::Dropped => self.half = piece.last() == Some(&b'\r'),
                Line::Retry => {
                    let room = LONGEST_RETRY.saturating_sub(self.retry.len());
                    self.retry.extend_from_slice(piece.get(..room).unwrap_or(piece));
                }
                Line::Kept | Line::Begins => {}
            }
            if self.line != Line::Dropped {
                match kept.last_mut() {
                    Some(last) if last.end == from => last.end += piece.len(),
                    _ => kept.push(from..from + piece.len()),
                }
            }
            if end.is_some() {
                if self.line == Line::Retry {
                    sifted.retry = self.named().or(sifted.retry);
                }
                self.line = Line::Begins;
            }
        }
        sifted.bytes = match kept.as_slice() {
            [one] => chunk.slice(one.clone()),
            several => several
                .iter()
                .filter_map(|range| chunk.get(range.clone()))
                .fold(BytesMut::new(), |mut all, piece| {
                    all.extend_from_slice(piece);
                    all
                })
                .freeze(),
        };
        sifted
    }

    /// Finds out what the next line is; `false` if that cannot be told yet.
    fn begin(&mut self, rest: &mut &[u8], sifted: &mut Sifted) -> bool {
        if std::mem::take(&mut self.half) {
            *rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        if !self.begun && MARK.starts_with(rest) && rest.len() < MARK.len() {
            self.held.extend_from_slice(rest);
            return false;
        }
        if !std::mem::replace(&mut self.begun, true) {
            *rest = rest.strip_prefix(MARK).unwrap_or(rest);
        }
        self.line = match judge(rest) {
            Verdict::Field => Line::Kept,
            Verdict::Retry => Line::Retry,
            Verdict::Nothing => Line::Dropped,
            Verdict::Open => {
                self.held.extend_from_slice(rest);
                return false;
            }
        };
        sifted.comment |= rest.starts_with(b":");
        true
    }

    /// The wait in a whole line; only digits are one.
    fn named(&mut self) -> Option<u64> {
        let line = std::mem::take(&mut self.retry);
        let value = line.strip_prefix(b"retry:")?;
        let value = value.strip_prefix(b" ").unwrap_or(value);
        let digits = value.strip_suffix(b"\n").or(value.strip_suffix(b"\r"))?;
        let number = digits.iter().all(u8::is_ascii_digit).then_some(digits)?;
        std::str::from_utf8(number).ok()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STREAM: &[u8] = b"\xef\xbb\xbfdata: a\n: comment\n\nfoo: bar\r\ndat\rdatab: x\ndata\r\n\r\nretry: 25\nretry: x\nid:1\nevent\n\n::\rdata:x\n\n";
    const LEFT: &[u8] = b"data: a\n\ndata\r\n\r\nretry: 25\nretry: x\nid:1\nevent\n\ndata:x\n\n";

    fn sift(chunks: &[&[u8]]) -> (Vec<u8>, Option<u64>) {
        let mut lines = Lines::default();
        let sifted = chunks.iter().map(|chunk| lines.chunk(Bytes::copy_from_slice(chunk)));
        sifted.fold((Vec::new(), None), |(mut all, retry), sifted| {
            all.extend_from_slice(&sifted.bytes);
            (all, sifted.retry.or(retry))
        })
    }

    #[test]
    fn what_says_nothing_is_taken_out() {
        assert_eq!(sift(&[STREAM]), (LEFT.to_vec(), Some(25)));
        let mut lines = Lines::default();
        let chunk = Bytes::from_static(b"data: x\n\n");
        let left = lines.chunk(chunk.clone()).bytes;
        assert_eq!(left.as_ptr(), chunk.as_ptr(), "not copied");
        assert!(lines.chunk(Bytes::from_static(b":")).comment);
        // However long it is: nothing of it is held.
        assert!(lines.chunk(Bytes::from(vec![b'x'; 1 << 20])).bytes.is_empty());
        assert_eq!(lines.chunk(Bytes::from_static(b"\ndata: y\n")).bytes, b"data: y\n"[..]);
    }

    #[test]
    fn waits_are_numbers() {
        for (line, expected) in [
            ("retry: 0\n", Some(0)),
            ("retry:5\r", Some(5)),
            ("retry:  5\n", None),
            ("retry: -5\n", None),
            ("retry: 99999999999999999999999\n", None),
            ("retry\n", None),
            ("retry:\n", None),
        ] {
            assert_eq!(sift(&[line.as_bytes()]).1, expected, "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_it_is_cut(
            cuts in proptest::collection::vec(0..STREAM.len(), 0..8),
        ) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut before = 0;
            for cut in cuts.into_iter().chain([STREAM.len()]) {
                chunks.push(&STREAM[before..cut]);
                before = cut;
            }
            prop_assert_eq!(sift(&chunks), (LEFT.to_vec(), Some(25)));
        }
    }
}
