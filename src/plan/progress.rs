//! How far a plan is: which steps may begin now. Pure bookkeeping for whoever carries it out.

use super::{On, Plan, Release};

/// A step that will not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The step, by index.
    pub step: usize,
    /// The step whose failure is the cause, by index.
    pub cause: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Released,
    Failed,
}

/// Which steps of a plan may begin. Steps are given out once, in the order of the plan.
#[derive(Clone, Debug)]
pub struct Progress {
    /// How many nodes each node still waits for; gates stand after the steps.
    missing: Vec<usize>,
    dependents: Vec<Vec<usize>>,
    state: Vec<State>,
    release: Vec<Release>,
}

impl Progress {
    /// The beginning of a plan.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let steps = plan.steps.len();
        let nodes = steps + plan.gates.len();
        let mut missing = vec![0; nodes];
        let mut dependents = vec![Vec::new(); nodes];
        for (step, edges) in plan.steps.iter().map(|step| &step.after).enumerate() {
            for edge in edges {
                let on = match edge.on {
                    On::Step(on) => on,
                    On::Gate(gate) => steps + gate,
                };
                missing[step] += 1;
                dependents[on].push(step);
            }
        }
        for (gate, members) in plan.gates.iter().map(|gate| &gate.steps).enumerate() {
            missing[steps + gate] = members.len();
            for member in members {
                dependents[*member].push(steps + gate);
            }
        }
        let state = vec![State::Waiting; nodes];
        let release = plan.steps.iter().map(|step| step.release).collect();
        Self {
            missing,
            dependents,
            state,
            release,
        }
    }

    /// The steps that wait for nothing.
    #[must_use]
    pub fn start(&mut self) -> Vec<usize> {
        let mut ready = Vec::new();
        for step in 0..self.release.len() {
            if self.missing[step] == 0 {
                ready.push(step);
            }
        }
        // A gate without steps is open.
        for gate in self.release.len()..self.missing.len() {
            if self.missing[gate] == 0 {
                ready.extend(self.open(gate));
            }
        }
        ready.sort_unstable();
        ready.dedup();
        ready
    }

    /// Notes that the server took a step and returns the steps that may begin now.
    #[must_use]
    pub fn applied(&mut self, step: usize) -> Vec<usize> {
        match self.release[step] {
            Release::Applied => self.open(step),
            Release::Done => Vec::new(),
        }
    }

    /// Notes that the wait for a step ended well and returns the steps that may begin now.
    #[must_use]
    pub fn done(&mut self, step: usize) -> Vec<usize> {
        self.open(step)
    }

    /// Notes that a step failed and returns the steps that will not be done because of it.
    #[must_use]
    pub fn failed(&mut self, step: usize) -> Vec<Skipped> {
        let mut skipped = Vec::new();
        if std::mem::replace(&mut self.state[step], State::Failed) == State::Released {
            return skipped;
        }
        let mut todo = vec![step];
        while let Some(node) = todo.pop() {
            for dependent in self.dependents[node].clone() {
                if self.state[dependent] == State::Waiting {
                    self.state[dependent] = State::Failed;
                    todo.push(dependent);
                    if dependent < self.release.len() {
                        skipped.push(Skipped {
                            step: dependent,
                            cause: step,
                        });
                    }
                }
            }
        }
        skipped.sort_unstable_by_key(|skipped| skipped.step);
        skipped
    }

    /// Releases what waits for a node; opens gates on the way.
    fn open(&mut self, node: usize) -> Vec<usize> {
        let mut ready = Vec::new();
        let mut todo = vec![node];
        while let Some(node) = todo.pop() {
            if self.state[node] != State::Waiting {
                continue;
            }
            self.state[node] = State::Released;
            for dependent in self.dependents[node].clone() {
                self.missing[dependent] -= 1;
                if self.missing[dependent] > 0 || self.state[dependent] != State::Waiting {
                    continue;
                }
                if dependent < self.release.len() {
                    ready.push(dependent);
                } else {
                    todo.push(dependent);
                }
            }
        }
        ready.sort_unstable();
        ready
    }
}
