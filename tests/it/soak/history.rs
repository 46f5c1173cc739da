//! What the host and the gateway have each seen, joined: did every request get one answer, and did
//! nothing run twice?

use std::collections::HashMap;
use std::time::Duration;

/// One request, as its host saw it.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which bridge, and which request of it.
    pub name: String,
    /// What the gateway knows its arguments by.
    pub fingerprint: String,
    pub sent: Duration,
    /// When an answer came, and whether it was a result.
    pub answers: Vec<(Duration, bool)>,
}

/// What a whole run looked like from both ends.
#[derive(Debug, Default)]
pub struct History {
    pub calls: Vec<Call>,
    /// Fingerprints of the arguments of whatever ran, as often as it ran.
    pub runs: Vec<String>,
    /// How often each refresh token was presented.
    pub presented: Vec<usize>,
    /// The longest that an answer may take, an error included.
    pub limit: Duration,
}

impl History {
    /// What must not have happened, one sentence each.
    pub fn violations(&self) -> Vec<String> {
        let mut ran: HashMap<&str, usize> = HashMap::new();
        for run in &self.runs {
            *ran.entry(run).or_default() += 1;
        }
        let mut wrong = Vec::new();
        for call in &self.calls {
            let Call { name, fingerprint, sent, answers } = call;
            let runs = ran.remove(fingerprint.as_str()).unwrap_or_default();
            match answers.as_slice() {
                [] => wrong.push(format!("{name} got no answer")),
                [(at, ok)] => {
                    let took = at.saturating_sub(*sent);
                    if self.limit < took {
                        wrong.push(format!("{name} was answered after {took:?}"));
                    }
                    if *ok && runs == 0 {
                        wrong.push(format!("{name} got a result and did not run"));
                    }
                }
                many => wrong.push(format!("{name} got {} answers", many.len())),
            }
            if 1 < runs {
                wrong.push(format!("{name} ran {runs} times"));
            }
        }
        wrong.extend(ran.keys().map(|run| format!("{run} ran, and nobody had asked for it")));
        let reused = self.presented.iter().filter(|times| 1 < **times).count();
        if 0 < reused {
            wrong.push(format!("{reused} refresh tokens were presented more than once"));
        }
        wrong
    }

    /// How many of the requests got a result, of a hundred.
    pub fn results(&self) -> usize {
        let good = self.calls.iter().filter(|call| call.answers.iter().any(|(_, ok)| *ok)).count();
        (100 * good).checked_div(self.calls.len()).unwrap_or_default()
    }
}

/// Whether a series of measurements ends where it was after its first third, give or take. What
/// comes and goes does not count, so it is the smallest of either part that is compared.
pub fn is_flat(measured: &[u64], slack: u64) -> bool {
    let third = measured.len() / 3;
    let low = |part: &[u64]| part.iter().min().copied().unwrap_or_default();
    let middle = low(measured.get(third..2 * third).unwrap_or_default());
    low(measured.get(2 * third..).unwrap_or_default()) <= middle + slack
}

#[test]
fn the_checker_finds_what_is_wrong() {
    let second = Duration::from_secs;
    let call = |name: &str, answers: &[(u64, bool)]| Call {
        name: name.to_owned(),
        fingerprint: format!("#{name}"),
        sent: second(1),
        answers: answers.iter().map(|(at, ok)| (second(*at), *ok)).collect(),
    };
    let run = |name: &str| format!("#{name}");
    let good = History {
        calls: vec![call("a", &[(2, true)]), call("b", &[(2, false)]), call("c", &[(11, false)])],
        runs: vec![run("a"), run("c")],
        presented: vec![0, 1],
        limit: second(10),
    };
    assert!(good.violations().is_empty(), "{:?}", good.violations());
    assert_eq!(good.results(), 33);
    let bad = History {
        calls: vec![
            call("silent", &[]),
            call("twice", &[(2, true), (3, true)]),
            call("late", &[(12, false)]),
            call("invented", &[(2, true)]),
            call("again", &[(2, true)]),
        ],
        runs: vec![run("twice"), run("again"), run("again"), run("ghost")],
        presented: vec![1, 2],
        limit: second(10),
    };
    assert_eq!(
        bad.violations(),
        [
            "silent got no answer",
            "twice got 2 answers",
            "late was answered after 11s",
            "invented got a result and did not run",
            "again ran 2 times",
            "#ghost ran, and nobody had asked for it",
            "1 refresh tokens were presented more than once",
        ]
    );
    assert!(is_flat(&[9, 1, 5, 9, 5, 6, 5, 9, 5], 0));
    assert!(!is_flat(&[1, 2, 3, 4, 5, 6, 7, 8, 9], 2));
}
