//! Bytes that are no UTF-8 cost the event that holds them, and not the stream.
//!
//! Both decoders give up at the first such byte. So each is replaced before they see it, by a
//! character that no JSON may hold as it is (RFC 8259 §7) and that makes an id void (WHATWG HTML
//! §9.2.6): the event is then decoded, found to be no message, and skipped.

use bytes::{Bytes, BytesMut};

/// What stands in for a byte that is no UTF-8.
const VOID: u8 = 0;

/// Repairs a stream of bytes chunk by chunk.
#[derive(Debug, Default)]
pub(super) struct Repair {
    /// The beginning of a character that ends in the next chunk: at most three bytes.
    begun: BytesMut,
}

impl Repair {
    /// The next chunk as UTF-8; a good one is not copied.
    pub(super) fn chunk(&mut self, chunk: Bytes) -> Bytes {
        let mut chunk = if self.begun.is_empty() {
            chunk
        } else {
            let mut whole = std::mem::take(&mut self.begun);
            whole.extend_from_slice(&chunk);
            whole.freeze()
        };
        let Err(error) = std::str::from_utf8(&chunk) else { return chunk };
        if error.error_len().is_none() {
            self.begun.extend_from_slice(&chunk.split_off(error.valid_up_to()));
            return chunk;
        }
        let mut repaired = BytesMut::with_capacity(chunk.len());
        while !chunk.is_empty() {
            let Err(error) = std::str::from_utf8(&chunk) else { break };
            repaired.extend_from_slice(&chunk.split_to(error.valid_up_to()));
            let Some(length) = error.error_len() else {
                self.begun.extend_from_slice(&std::mem::take(&mut chunk));
                break;
            };
            repaired.extend_from_slice(&[VOID]);
            drop(chunk.split_to(length));
        }
        repaired.extend_from_slice(&chunk);
        repaired.freeze()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn repair(chunks: &[&[u8]]) -> Vec<u8> {
        let mut repair = Repair::default();
        chunks.iter().flat_map(|chunk| repair.chunk(Bytes::copy_from_slice(chunk))).collect()
    }

    #[test]
    fn what_is_no_utf_8_becomes_void() {
        assert_eq!(repair(&[b"a\xffb"]), b"a\0b");
        assert_eq!(repair(&[b"\xc3", b"\xa9x"]), "éx".as_bytes());
        assert_eq!(repair(&[b"\xf0\x9f", b"\x98", b"\x80"]), "😀".as_bytes());
        assert_eq!(repair(&[b"\xf0\x9f", b"x\xff", b"y"]), b"\0x\0y");
        assert_eq!(repair(&[b"\xff\xc3", b"\xa9"]), "\0é".as_bytes());
    }

    proptest! {
        #[test]
        fn text_is_untouched_however_it_is_cut(text in ".{0,40}", cut in 0_usize..80) {
            let bytes = text.as_bytes();
            let (one, two) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(repair(&[one, two]), bytes);
        }

        #[test]
        fn the_result_is_utf_8(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9), 0..9)) {
            let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            prop_assert!(String::from_utf8(repair(&chunks)).is_ok());
        }
    }
}
