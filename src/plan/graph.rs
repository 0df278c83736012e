//! The graph of what waits for what. Nodes are the steps and, after them, the gates.
//!
//! Nothing here knows objects. All walks use a stack of their own and are linear in the graph.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What waits for what, and why.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// For each node the nodes it waits for, with the index of the reason.
    deps: Vec<Vec<(usize, usize)>>,
    /// For each node the nodes that wait for it.
    dependents: Vec<Vec<usize>>,
    reasons: Vec<String>,
}

impl Graph {
    /// A graph of nodes without edges.
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            deps: vec![vec![]; nodes],
            dependents: vec![vec![]; nodes],
            reasons: Vec::new(),
        }
    }

    /// Adds a node and returns its index.
    pub(super) fn add_node(&mut self) -> usize {
        self.deps.push(Vec::new());
        self.dependents.push(Vec::new());
        self.deps.len() - 1
    }

    /// Keeps a reason for edges.
    pub(super) fn reason(&mut self, text: String) -> usize {
        if self.reasons.last() != Some(&text) {
            self.reasons.push(text);
        }
        self.reasons.len() - 1
    }

    /// The text of a reason.
    pub(super) fn reason_text(&self, reason: usize) -> &str {
        &self.reasons[reason]
    }

    /// The number of nodes.
    pub(super) fn len(&self) -> usize {
        self.deps.len()
    }

    /// The nodes a node waits for, with the index of the reason.
    pub(super) fn deps(&self, node: usize) -> &[(usize, usize)] {
        &self.deps[node]
    }

    /// Lets a node wait for another. The first reason of a pair stays.
    pub(super) fn add(&mut self, node: usize, on: usize, reason: usize) {
        if node != on && !self.has(node, on) {
            self.deps[node].push((on, reason));
            self.dependents[on].push(node);
        }
    }

    fn has(&self, node: usize, on: usize) -> bool {
        // The shorter side is searched: either may have thousands.
        if self.deps[node].len() <= self.dependents[on].len() {
            self.deps[node].iter().any(|(other, _)| *other == on)
        } else {
            self.dependents[on].contains(&node)
        }
    }

    /// Marks everything a node waits for, directly or not, and the node itself.
    pub(super) fn needed_by(&self, node: usize) -> Vec<bool> {
        self.reach(node, |at, next| {
            next.extend(self.deps[at].iter().map(|(on, _)| *on));
        })
    }

    /// Marks everything that waits for a node, directly or not, and the node itself.
    pub(super) fn waiting_for(&self, node: usize) -> Vec<bool> {
        self.reach(node, |at, next| next.extend(&self.dependents[at]))
    }

    fn reach(&self, start: usize, step: impl Fn(usize, &mut Vec<usize>)) -> Vec<bool> {
        let mut reached = vec![false; self.len()];
        let mut todo = vec![start];
        while let Some(node) = todo.pop() {
            if !std::mem::replace(&mut reached[node], true) {
                step(node, &mut todo);
            }
        }
        reached
    }

    /// Whether `node` waits for `on`, directly or not.
    pub(super) fn depends(&self, node: usize, on: usize) -> bool {
        let mut seen = std::collections::HashSet::new();
        let mut todo = vec![node];
        while let Some(at) = todo.pop() {
            if at == on {
                return true;
            }
            if seen.insert(at) {
                todo.extend(self.deps[at].iter().map(|(next, _)| *next));
            }
        }
        false
    }

    /// The nodes in an order in which each stands after what it waits for; among those that could
    /// come next the one with the smallest index. What is in or behind a cycle is missing.
    pub(super) fn sorted(&self) -> Vec<usize> {
        let mut missing: Vec<usize> = self.deps.iter().map(Vec::len).collect();
        let mut ready: BinaryHeap<Reverse<usize>> = (0..self.len())
            .filter(|node| missing[*node] == 0)
            .map(Reverse)
            .collect();
        let mut sorted = Vec::with_capacity(self.len());
        while let Some(Reverse(node)) = ready.pop() {
            sorted.push(node);
            for dependent in &self.dependents[node] {
                missing[*dependent] -= 1;
                if missing[*dependent] == 0 {
                    ready.push(Reverse(*dependent));
                }
            }
        }
        sorted
    }

    /// The nodes of some cycle, each waiting for the next, with the reason; empty when there is
    /// none.
    pub(super) fn cycle(&self) -> Vec<(usize, usize)> {
        let mut left = vec![true; self.len()];
        for node in self.sorted() {
            left[node] = false;
        }
        let Some(start) = left.iter().position(|left| *left) else {
            return Vec::new();
        };
        // Every node left waits for another one left, so that walking on must come back.
        let mut path: Vec<(usize, usize)> = Vec::new();
        let mut position = vec![None; self.len()];
        let mut at = start;
        loop {
            if let Some(first) = position[at] {
                return path.split_off(first);
            }
            position[at] = Some(path.len());
            let Some((on, reason)) = self.deps[at].iter().find(|(on, _)| left[*on]) else {
                return Vec::new();
            };
            path.push((at, *reason));
            at = *on;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(usize, usize)]) -> Graph {
        let mut graph = Graph::new(5);
        for (node, on) in edges {
            let reason = graph.reason(format!("{node} after {on}"));
            graph.add(*node, *on, reason);
        }
        graph
    }

    #[test]
    fn nodes_stand_after_what_they_wait_for() {
        assert_eq!(graph(&[(0, 4), (1, 0), (3, 1)]).sorted(), [2, 4, 0, 1, 3]);
    }

    #[test]
    fn a_cycle_is_found_without_what_hangs_on_it() {
        let graph = graph(&[(0, 1), (1, 2), (2, 3), (3, 1), (1, 4)]);
        let cycle: Vec<_> = graph.cycle().iter().map(|(node, _)| *node).collect();
        assert_eq!(cycle, [1, 2, 3]);
        assert_eq!(graph.sorted(), [4]);
    }

    #[test]
    fn what_is_needed_and_what_waits_is_found() {
        let graph = graph(&[(0, 1), (1, 2), (3, 1)]);
        assert_eq!(graph.needed_by(0), [true, true, true, false, false]);
        assert_eq!(graph.waiting_for(1), [true, true, false, true, false]);
        assert!(graph.depends(3, 2) && !graph.depends(2, 3));
    }
}
