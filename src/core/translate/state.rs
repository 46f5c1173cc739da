//! The `requestState` that a host gets when a legacy server asks back in the middle of a call: it
//! names the call, and nobody else can make one (MCP 2026-07-28, multi round-trip requests).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

/// Signs what it gives out.
#[derive(Clone, Debug)]
pub struct Signer(hmac::Key);

/// A call, and how often it has asked back: each state counts once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Round {
    pub(super) call: u64,
    pub(super) round: u64,
}

impl Signer {
    /// The key lives as long as this process, and so do the calls that it signs for.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// One for another conversation, which takes nothing of this one's.
    #[must_use]
    pub fn another(&self, number: u64) -> Self {
        let key = hmac::sign(&self.0, &number.to_be_bytes());
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()))
    }

    pub(super) fn sign(&self, round: Round) -> String {
        let mut state = round.to_bytes().to_vec();
        let tag = hmac::sign(&self.0, &state);
        state.extend_from_slice(tag.as_ref());
        URL_SAFE_NO_PAD.encode(state)
    }

    /// What a state stands for, if it is one of ours.
    pub(super) fn verify(&self, state: &str) -> Option<Round> {
        let state = URL_SAFE_NO_PAD.decode(state).ok()?;
        let (round, tag) = state.split_at_checked(16)?;
        hmac::verify(&self.0, round, tag).ok()?;
        let (call, round) = round.split_at_checked(8)?;
        Some(Round {
            call: u64::from_be_bytes(call.try_into().ok()?),
            round: u64::from_be_bytes(round.try_into().ok()?),
        })
    }
}

impl Round {
    fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.call) << 64 | u128::from(self.round)).to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_was_altered_is_none() {
        let signer = Signer::new(&[42; 32]);
        let round = Round { call: 7, round: 1 << 40 };
        let state = signer.sign(round);
        assert_eq!(signer.verify(&state), Some(round));
        for at in 0..state.len() {
            let mut altered = state.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(signer.verify(std::str::from_utf8(&altered).unwrap()), None, "{at}");
        }
        assert_eq!(Signer::new(&[43; 32]).verify(&state), None);
        // Neither does one conversation know the states of another.
        assert_eq!(signer.another(1).verify(&state), None);
        assert_eq!(signer.another(1).verify(&signer.another(2).sign(round)), None);
        assert_eq!(signer.another(1).verify(&signer.another(1).sign(round)), Some(round));
        assert_eq!(signer.verify(""), None);
    }
}
