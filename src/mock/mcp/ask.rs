//! Asking the client while its request is handled, in the way of its era.

use serde_json::Value;

use super::jsonrpc::RpcError;
use super::methods::Caller;

/// Something that only the client knows.
#[derive(Debug)]
pub(crate) struct Question {
    /// Names the answer (2026-07-28).
    pub(crate) key: &'static str,
    pub(crate) method: &'static str,
    pub(crate) params: Value,
}

/// Whether the server gives the client something to bring back (2026-07-28).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// No `requestState`: every round begins anew.
    None,
    /// A sealed `requestState` with the answers so far, without which no answer counts.
    Sealed,
}

/// Why a request has no result.
#[derive(Debug)]
pub(crate) enum Unfinished {
    /// 2026-07-28: the client has to answer these first, and come back with the `requestState`.
    Asks(Vec<Question>, Option<String>),
    Failed(RpcError),
}

impl From<RpcError> for Unfinished {
    fn from(error: RpcError) -> Self {
        Self::Failed(error)
    }
}

impl Caller {
    /// Asks the client: by requests of the server's own, or (2026-07-28) by what the client has
    /// brought along. The answers are the text of objects with `result` or `error`, in order.
    pub(crate) async fn ask(
        &self,
        questions: Vec<Question>,
        memory: Memory,
    ) -> Result<Vec<String>, Unfinished> {
        if let Some(claims) = &self.claims {
            return claims.answer(&self.mock, self.route, questions, memory);
        }
        let nowhere = || RpcError::new(-32603, "there is no stream to ask the client on");
        let outlet = self.outlet.as_ref().ok_or_else(nowhere)?;
        let pose = |it: &Question| self.session.pose(outlet, it.method, &it.params.to_string());
        let asked: Vec<_> = questions.iter().map(pose).collect();
        let mut answers = Vec::new();
        for it in asked {
            answers.push(self.session.wait(it).await?);
        }
        Ok(answers)
    }
}
