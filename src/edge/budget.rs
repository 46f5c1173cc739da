//! How many bytes of messages may be held at one time, in one direction.
//!
//! Limits on the number of messages bound what small ones hold. A large one takes its bytes from a
//! common store, piece by piece as it grows; where that is empty it waits, or takes the one place
//! for a message of any size. Whoever has that place needs nothing else, so the largest message
//! always gets through, and two that are half read never wait for each other.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The common store: a few messages that are large for a tool, so that one of them does not hold
/// up the next.
const COMMON: usize = 32 << 20;
/// Up to this size a message is not counted: there may be hundreds of them.
const SMALL: usize = 64 << 10;

/// The bytes of one direction.
#[derive(Clone, Debug)]
pub struct Budget {
    common: Arc<Semaphore>,
    largest: Arc<Semaphore>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { common: Arc::new(Semaphore::new(COMMON)), largest: Arc::new(Semaphore::new(1)) }
    }
}

impl Budget {
    /// The share of one message, still empty.
    pub fn share(&self) -> Share {
        Share { budget: self.clone(), taken: 0, common: None, largest: None }
    }
}

/// What one message takes; given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    budget: Budget,
    taken: usize,
    common: Option<OwnedSemaphorePermit>,
    largest: Option<OwnedSemaphorePermit>,
}

impl Share {
    /// Waits until the message may be of this size.
    pub async fn grow(&mut self, size: usize) {
        let Some(more) = self.lacks(size) else { return };
        let common = Arc::clone(&self.budget.common);
        let largest = Arc::clone(&self.budget.largest);
        let piece = async {
            match u32::try_from(more) {
                // More than there is would never come, and hold up the others.
                Ok(n) if more <= COMMON => common.acquire_many_owned(n).await,
                _ => std::future::pending().await,
            }
        };
        // The semaphores are never closed.
        tokio::select! {
            biased;
            Ok(permit) = piece => self.take(permit, more),
            Ok(permit) = largest.acquire_owned() => self.largest = Some(permit),
        }
    }

    /// Whether the message may be of this size at once.
    pub fn try_grow(&mut self, size: usize) -> bool {
        let Some(more) = self.lacks(size) else { return true };
        let n = u32::try_from(more).unwrap_or(u32::MAX);
        if let Ok(permit) = Arc::clone(&self.budget.common).try_acquire_many_owned(n) {
            self.take(permit, more);
        } else if let Ok(permit) = Arc::clone(&self.budget.largest).try_acquire_owned() {
            self.largest = Some(permit);
        } else {
            return false;
        }
        true
    }

    /// The bytes with their share, which ends with the last of their copies.
    pub fn hold(self, bytes: impl Into<Bytes>) -> Bytes {
        let bytes = bytes.into();
        if self.common.is_none() && self.largest.is_none() {
            return bytes;
        }
        Bytes::from_owner(Held { bytes, _share: self })
    }

    fn lacks(&self, size: usize) -> Option<usize> {
        let more = size.saturating_sub(self.taken);
        (SMALL < size && 0 < more && self.largest.is_none()).then_some(more)
    }

    fn take(&mut self, permit: OwnedSemaphorePermit, more: usize) {
        self.taken += more;
        match &mut self.common {
            Some(common) => common.merge(permit),
            None => self.common = Some(permit),
        }
    }
}

struct Held {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(budget: &Budget, size: usize) -> Option<Bytes> {
        let mut share = budget.share();
        share.try_grow(size).then(|| share.hold(vec![0; size]))
    }

    #[test]
    fn the_largest_message_passes_and_the_next_one_waits() {
        let budget = Budget::default();
        let first = held(&budget, 2 * COMMON).unwrap();
        let copy = first.slice(7..);
        drop(first);
        assert!(held(&budget, 2 * COMMON).is_none());
        let other = held(&budget, COMMON).unwrap();
        assert!(held(&budget, SMALL + 1).is_none());
        assert!(held(&budget, SMALL).is_some(), "small ones are not counted");
        drop(copy);
        assert!(held(&budget, SMALL + 1).is_some());
        drop(other);
        assert!(held(&budget, 2 * COMMON).is_some());
    }

    #[test]
    fn two_that_are_half_read_do_not_wait_for_each_other() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let budget = Budget::default();
            let (mut one, mut two) = (budget.share(), budget.share());
            for size in [COMMON / 2, COMMON, 2 * COMMON] {
                one.grow(size).await;
                if size <= COMMON / 2 {
                    two.grow(size).await;
                }
            }
            // The first has the place for any size, so that the second waits for it.
            let mut rest = Box::pin(two.grow(COMMON));
            tokio::select! {
                biased;
                () = &mut rest => panic!("there is nothing left"),
                () = tokio::task::yield_now() => {}
            }
            drop(one);
            rest.await;
        });
    }
}
