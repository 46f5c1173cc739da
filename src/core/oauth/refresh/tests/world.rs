//! Several processes with one store and one strict authorization server; some are killed, and some
//! answers get lost.

use std::collections::{BTreeMap, VecDeque};

use super::*;

struct World {
    /// What every process has read at its start.
    first: Box<Record>,
    stored: Box<Record>,
    holder: Option<usize>,
    processes: Vec<Process>,
    valid: String,
    issued: u32,
    /// How often each refresh token was presented.
    presented: BTreeMap<String, u32>,
    /// How often what a presentation came to was not stored: its answer was lost, or its process
    /// was killed.
    misfortunes: u32,
    /// Whether the server lets the last token succeed once more when its answer was lost.
    grace: bool,
    previous: Option<String>,
}

struct Process {
    refresh: Option<Refresh>,
    todo: VecDeque<Step>,
    /// Whether a refresh token of this process is on its way.
    presents: bool,
    generation: Option<u64>,
    signed_out: bool,
}

/// What happens to one process next.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Step,
    /// The step is done, and if it was a token request its answer is lost.
    Lose,
    Kill,
}

impl World {
    fn new(n: usize, grace: bool, stored: Box<Record>) -> Self {
        Self {
            processes: (0..n).map(|_| Process::new(stored.clone())).collect(),
            first: stored.clone(),
            stored,
            holder: None,
            valid: "rt1".to_owned(),
            issued: 1,
            presented: BTreeMap::new(),
            misfortunes: 0,
            grace,
            previous: None,
        }
    }

    /// What the token endpoint does.
    fn present(&mut self, token: &str) -> Input {
        *self.presented.entry(token.to_owned()).or_default() += 1;
        let repeat = self.grace && self.previous.as_deref() == Some(token);
        if token == self.valid {
            self.issued += 1;
            self.previous = Some(std::mem::replace(&mut self.valid, format!("rt{}", self.issued)));
        } else if !repeat {
            // RFC 6749 §10.4: the whole chain is worth nothing any more.
            self.valid = "none".to_owned();
            let error = "invalid_grant".to_owned();
            return refused(GrantFailure::Refused { error, description: None });
        }
        granted(Some(&self.valid))
    }

    /// Performs one step of one process; `false` if it has none or must wait.
    fn step(&mut self, index: usize, fate: Fate) -> bool {
        if matches!(fate, Fate::Kill) {
            return self.kill(index);
        }
        let Some(step) = self.processes[index].todo.pop_front() else { return false };
        let input = match step {
            Step::Fetch(url) => imported::document(&url, "https://mcp.example"),
            Step::Lock if self.holder.is_some() => {
                self.processes[index].todo.push_front(Step::Lock);
                return false;
            }
            Step::Lock => {
                self.holder = Some(index);
                Input::Locked(Some(self.stored.clone()))
            }
            Step::Grant(grant) => {
                assert_eq!(self.holder, Some(index), "never without the lock");
                let GrantKind::Refresh { token, .. } = grant.kind else { panic!() };
                self.processes[index].presents = true;
                let answer = self.present(token.expose());
                if matches!(fate, Fate::Lose) {
                    self.misfortunes += 1;
                    refused(GrantFailure::AnswerLost("reset".to_owned()))
                } else {
                    answer
                }
            }
            Step::Save(record) => {
                assert_eq!(self.holder, Some(index), "never without the lock");
                let generation = record.generation;
                self.processes[index].presents &= record.pending_since.is_some();
                self.stored = record;
                Input::Saved(generation)
            }
            Step::Unlock => {
                assert_eq!(self.holder.take(), Some(index));
                return true;
            }
            Step::Tell(_) => return true,
            Step::Done(outcome) => {
                self.done(index, outcome);
                return true;
            }
        };
        let process = &mut self.processes[index];
        let mut steps = Vec::new();
        let refresh = process.refresh.take().unwrap();
        process.refresh = Some(refresh.handle(input, Moment::default(), &mut steps));
        process.todo.extend(steps);
        true
    }

    fn done(&mut self, index: usize, outcome: Outcome) {
        match outcome {
            Outcome::Tokens(record) | Outcome::Adopted(record) => {
                self.processes[index].generation = Some(record.generation);
            }
            Outcome::SignIn(_) => self.processes[index].signed_out = true,
            // It tries again.
            Outcome::Later(..) => self.processes[index] = Process::new(self.first.clone()),
        }
    }

    /// The kernel frees its lock, and the host starts another one, which reads what is stored.
    fn kill(&mut self, index: usize) -> bool {
        if self.processes[index].presents {
            self.misfortunes += 1;
        }
        if self.holder == Some(index) {
            self.holder = None;
        }
        self.processes[index] = Process::new(self.first.clone());
        true
    }
}

impl Process {
    fn new(used: Box<Record>) -> Self {
        let mut steps = Vec::new();
        let refresh = if used.token_endpoint.is_empty() {
            let start = imported::start(used.clone());
            Refresh::search(used, start, Terms::default(), &mut steps)
        } else {
            Refresh::new(used, Terms::default(), &mut steps)
        };
        Self {
            refresh: Some(refresh),
            todo: steps.into(),
            presents: false,
            generation: None,
            signed_out: false,
        }
    }
}

fn run(n: usize, grace: bool, stored: Box<Record>, script: Vec<(usize, Fate)>) -> World {
    let mut world = World::new(n, grace, stored);
    for (index, fate) in script {
        world.step(index % n, fate);
    }
    while (0..n).any(|index| world.step(index, Fate::Step)) {}
    world
}

/// As a sign-in leaves it, or an import.
fn stored() -> impl Strategy<Value = Box<Record>> {
    any::<bool>().prop_map(|own| if own { record(1, "rt1") } else { imported::imported() })
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![12 => Just(Fate::Step), 2 => Just(Fate::Lose), 1 => Just(Fate::Kill)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the order, one refresh token is presented once and everybody has the new tokens.
    #[test]
    fn many_processes_refresh_once(
        n in 2_usize..6,
        stored in stored(),
        order in proptest::collection::vec(0_usize..6, 0..200),
    ) {
        let script = order.into_iter().map(|index| (index, Fate::Step)).collect();
        let world = run(n, false, stored, script);
        prop_assert_eq!(world.presented, BTreeMap::from([("rt1".to_owned(), 1)]));
        for process in &world.processes {
            prop_assert_eq!(process.generation, Some(2));
            prop_assert!(!process.signed_out);
        }
    }

    /// Processes are killed and answers lost: a refresh token is presented again only if what came
    /// of it before was lost, and each loss is worth at most one more try.
    #[test]
    fn misfortunes_cost_one_repeat_each(
        n in 1_usize..6,
        stored in stored(),
        grace in any::<bool>(),
        script in proptest::collection::vec((0_usize..6, fate()), 0..200),
    ) {
        let world = run(n, grace, stored, script);
        let repeats: u32 = world.presented.values().map(|times| times - 1).sum();
        prop_assert!(repeats <= world.misfortunes, "{repeats} {}", world.misfortunes);
        let signed_out = world.processes.iter().any(|process| process.signed_out);
        if grace || world.misfortunes == 0 {
            prop_assert!(!signed_out, "a server that rotates with care signs nobody out");
        }
        for process in &world.processes {
            prop_assert!(process.signed_out || process.generation.is_some());
        }
    }
}
