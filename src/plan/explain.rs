//! Why a step stands where it stands, in words.

use super::{On, Plan};

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
                    format!("after {name} ({count} changes): {}", edge.reason)
                }
            })
            .collect()
    }
}
