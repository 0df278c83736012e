//! Why a step stands where it stands, in words.

use super::{Edge, On, Plan, Release, Wait};
use crate::object::ObjectRef;

impl Plan {
    /// What a step waits for and why, a line each: `after Namespace/shop: it lives there`.
    #[must_use]
    pub fn explain(&self, step: usize) -> Vec<String> {
        let Some(step) = self.steps.get(step) else {
            return Vec::new();
        };
        step.after
            .iter()
            .map(|edge| match edge.on {
                On::Step(on) => {
                    let target = self
                        .steps
                        .get(on)
                        .map(|step| step.change.target.to_string());
                    format!("after {}: {}", target.unwrap_or_default(), edge.reason)
                }
                On::Gate(gate) => {
                    let (name, count) = self
                        .gates
                        .get(gate)
                        .map_or(("", 0), |g| (g.name.as_str(), g.steps.len()));
                    let s = if count == 1 { "" } else { "s" };
                    format!("after {name} ({count} change{s}): {}", edge.reason)
                }
            })
            .collect()
    }

    /// What waits for a step, and when it may begin, a line each.
    #[must_use]
    pub fn followers(&self, step: usize) -> Vec<String> {
        let mut lines = Vec::new();
        for other in &self.steps {
            let edges = other.after.iter().filter(|edge| edge.on == On::Step(step));
            let target = &other.change.target;
            lines.extend(edges.map(|edge| format!("before {target}: {}", edge.reason)));
        }
        for (index, gate) in self.gates.iter().enumerate() {
            if gate.steps.contains(&step) {
                let waits = |edge: &Edge| edge.on == On::Gate(index);
                let steps = self.steps.iter();
                let count = steps.filter(|step| step.after.iter().any(waits)).count();
                let changes = match count {
                    1 => "1 change that comes".to_owned(),
                    count => format!("{count} changes that come"),
                };
                lines.push(format!("before {changes} after {}", gate.name));
            }
        }
        let Some(step) = self.steps.get(step).filter(|_| !lines.is_empty()) else {
            return lines;
        };
        let when = match (step.wait, step.release) {
            (Wait::None, _) | (_, Release::Applied) => "they begin as soon as it is applied",
            (Wait::Reconcile, Release::Done) => "they begin when it is ready",
            (Wait::Delete, Release::Done) => "they begin when it is gone",
        };
        lines.push(when.to_owned());
        lines
    }

    /// The steps of an object that somebody names: `web`, `Deployment/web` or `Deployment/web (prod)`,
    /// in any case of letters.
    #[must_use]
    pub fn steps_of(&self, name: &str) -> Vec<usize> {
        let is_meant = |target: &ObjectRef| {
            let long = target.to_string();
            let short = format!("{}/{}", target.kind, target.name);
            [long.as_str(), short.as_str(), target.name.as_str()]
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name.trim()))
        };
        let steps = self.steps.iter().enumerate();
        let meant = steps.filter(|(_, step)| is_meant(&step.change.target));
        meant.map(|(index, _)| index).collect()
    }
}
