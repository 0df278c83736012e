//! Rules of changes → edges of the graph → the plan.
//!
//! Required rules come first; those that may be dropped follow by weight, each group of them checked
//! for cycles with one walk.

use super::graph::Graph;
use super::group;
use super::hook::Moment;
use super::order::Node;
use super::reference;
use super::rule::{self, Class, Rule, Side, Weight};
use super::{Blocked, Edge, Error, Gate, On, Phase, Plan, Step, wait};
use crate::diff::Change;
use crate::kapp::Rules;
use crate::object::ObjectRef;
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

/// Groups up to this size get an edge to each member, larger ones a gate.
const DIRECT: usize = 3;

/// How many edges may be spent on changes that cannot wait for a group as a whole, since part of it
/// waits for them.
const SINGLE_EDGES: usize = 20_000;

/// The graph while it is made.
pub(super) struct Builder<'a> {
    nodes: Vec<Node>,
    user: &'a Rules,
    graph: Graph,
    members: HashMap<(String, Class), Vec<usize>>,
    index: HashMap<(ObjectRef, Class), usize>,
    /// The gates by what they stand for, and the names of all of them in the order of their nodes.
    gates: HashMap<(String, Class, Side), usize>,
    gate_names: Vec<String>,
    single_edges: usize,
}

/// Rules about the same group, each with its subject.
type Batch = Vec<(usize, String)>;

impl<'a> Builder<'a> {
    pub(super) fn new(nodes: Vec<Node>, user: &'a Rules) -> Self {
        let mut members: HashMap<_, Vec<usize>> = HashMap::new();
        let mut index = HashMap::with_capacity(nodes.len());
        for (i, node) in nodes.iter().enumerate() {
            for group in &node.groups {
                members
                    .entry((group.clone(), node.class))
                    .or_default()
                    .push(i);
            }
            index.insert((node.change.target.clone(), node.class), i);
        }
        Self {
            graph: Graph::new(nodes.len()),
            nodes,
            user,
            members,
            index,
            gates: HashMap::new(),
            gate_names: Vec::new(),
            single_edges: 0,
        }
    }

    /// Adds what may not be dropped, and fails when it forms a cycle.
    pub(super) fn required(&mut self) -> Result<(), Error> {
        let mut batches = BTreeMap::new();
        for i in 0..self.nodes.len() {
            for rule in self
                .rules(i)?
                .into_iter()
                .filter(|rule| rule.weight == Weight::Required)
            {
                collect(&mut batches, i, rule);
            }
            let node = &self.nodes[i];
            let Some(object) = node.object() else {
                continue;
            };
            for target in reference::depends_on(object, node.change.source.as_ref())? {
                let Some(on) = self.find(&target, node.class) else {
                    continue;
                };
                let reason = self
                    .graph
                    .reason("config.kubernetes.io/depends-on".to_owned());
                let (node, on) = if node.class == Class::Upsert {
                    (i, on)
                } else {
                    (on, i)
                };
                self.graph.add(node, on, reason);
            }
        }
        for ((_, side, target, group), batch) in batches {
            self.add_required(side, target, &group, &batch);
        }
        let cycle = self.graph.cycle();
        if cycle.is_empty() {
            Ok(())
        } else {
            Err(self.cycle_error(&cycle))
        }
    }

    /// All rules of a change: its own, the defaults, and those for upserts read backwards when it
    /// is a delete.
    fn rules(&self, i: usize) -> Result<Vec<Rule>, Error> {
        let node = &self.nodes[i];
        let Some(object) = node.object() else {
            return Ok(Vec::new());
        };
        let mut rules = rule::annotated(&node.facts, object, node.change.source.as_ref())?;
        rules.extend(rule::bound(&node.facts, object, &self.user.order));
        rules.extend(rule::defaults(&node.facts, object));
        let backwards: Vec<Rule> = rules.iter().filter_map(Rule::backwards).collect();
        rules.extend(backwards);
        rules.retain(|rule| rule.class == node.class);
        Ok(rules)
    }

    fn find(&self, target: &ObjectRef, class: Class) -> Option<usize> {
        self.index.get(&(target.clone(), class)).copied()
    }

    fn add_required(&mut self, side: Side, target: Class, group: &str, batch: &Batch) {
        let Some(members) = self.members.get(&(group.to_owned(), target)).cloned() else {
            return;
        };
        let mut own = 0;
        for (subject, reason) in batch {
            let reason = self.graph.reason(reason.clone());
            let is_member = members.binary_search(subject).is_ok();
            if is_member {
                own += 1;
                // Two members of a group that both come after it form a cycle already.
                if own > 2 {
                    continue;
                }
            }
            if is_member || members.len() <= DIRECT {
                for member in &members {
                    self.link(side, *subject, *member, reason);
                }
            } else {
                let gate = self.gate(side, target, group, &members);
                self.link(side, *subject, gate, reason);
            }
        }
    }

    fn link(&mut self, side: Side, subject: usize, other: usize, reason: usize) {
        match side {
            Side::After => self.graph.add(subject, other, reason),
            Side::Before => self.graph.add(other, subject, reason),
        }
    }

    /// The gate that stands for all members of a group: open when they are done (after), or what
    /// they wait for (before).
    fn gate(&mut self, side: Side, target: Class, group: &str, members: &[usize]) -> usize {
        let key = (group.to_owned(), target, side);
        if let Some(gate) = self.gates.get(&key) {
            return *gate;
        }
        let gate = self.graph.add_node();
        let name = group.strip_prefix(group::PREFIX).unwrap_or(group);
        let verb = if target == Class::Upsert {
            "upserting"
        } else {
            "deleting"
        };
        let name = match side {
            Side::After => format!("{verb} {name}"),
            Side::Before => format!("what comes before {verb} {name}"),
        };
        let reason = self.graph.reason(name.clone());
        for member in members {
            match side {
                Side::After => self.graph.add(gate, *member, reason),
                Side::Before => self.graph.add(*member, gate, reason),
            }
        }
        self.gate_names.push(name);
        self.gates.insert(key, gate);
        gate
    }

    /// Adds what may be dropped, the heaviest first, leaving out what would close a cycle.
    pub(super) fn droppable(&mut self, phase: Phase) -> Result<(), Error> {
        self.references();
        self.hooks(phase);
        let mut batches = BTreeMap::new();
        for i in 0..self.nodes.len() {
            for rule in self
                .rules(i)?
                .into_iter()
                .filter(|rule| rule.weight != Weight::Required)
            {
                collect(&mut batches, i, rule);
            }
        }
        for ((Reverse(_), side, target, group), batch) in batches {
            self.add_droppable(side, target, &group, &batch);
        }
        self.between_classes(phase);
        Ok(())
    }

    /// Objects come after those that they speak of.
    fn references(&mut self) {
        for i in 0..self.nodes.len() {
            let node = &self.nodes[i];
            let Some(object) = node.object() else {
                continue;
            };
            let class = node.class;
            let mut found: Vec<(ObjectRef, String)> = reference::references(object)
                .into_iter()
                .map(|(target, field)| (target, format!("{field} names it")))
                .collect();
            for (service, field) in reference::services(object) {
                for workload in self.behind(&service, class) {
                    found.push((workload, format!("it answers for {field}")));
                }
                found.push((service, format!("{field} names it")));
            }
            for (target, why) in found {
                let Some(on) = self.find(&target, class) else {
                    continue;
                };
                let (node, on, reason) = match class {
                    Class::Upsert => (i, on, why),
                    Class::Delete => (on, i, format!("deletes go backwards: {why}")),
                };
                if !self.graph.depends(on, node) {
                    let reason = self.graph.reason(reason);
                    self.graph.add(node, on, reason);
                }
            }
        }
    }

    /// The workloads whose pods a service of this plan selects.
    fn behind(&self, service: &ObjectRef, class: Class) -> Vec<ObjectRef> {
        let selector = self
            .find(service, class)
            .and_then(|i| self.nodes[i].object())
            .and_then(|service| service.get(&["spec", "selector"]))
            .and_then(Value::as_object)
            .filter(|selector| !selector.is_empty());
        let Some(selector) = selector else {
            return Vec::new();
        };
        let workloads = self.members.get(&(rule::WORKLOADS.to_owned(), class));
        workloads
            .into_iter()
            .flatten()
            .map(|i| &self.nodes[*i])
            .filter(|node| node.change.target.namespace == service.namespace)
            .filter(|node| {
                let labels = node.object().and_then(reference::pod_labels);
                selector
                    .iter()
                    .all(|(key, value)| labels.and_then(|l| l.get(key)) == Some(value))
            })
            .map(|node| node.change.target.clone())
            .collect()
    }

    /// Hooks run one by one, by weight, kind and name; those after, when everything else is done.
    fn hooks(&mut self, phase: Phase) {
        for moment in [Moment::Before, Moment::After] {
            let hooks: Vec<usize> = (0..self.nodes.len())
                .filter(|i| self.nodes[*i].moment == Some(moment))
                .collect();
            for pair in hooks.windows(2) {
                let (earlier, later) = (pair[0], pair[1]);
                if !self.graph.depends(earlier, later) {
                    let weight = self.nodes[later].hook_weight;
                    let reason = self
                        .graph
                        .reason(format!("hooks run one by one (weight {weight})"));
                    self.graph.add(later, earlier, reason);
                }
            }
            if moment == Moment::After {
                self.keep_namespaces(&hooks);
                let target = if phase == Phase::Delete {
                    Class::Delete
                } else {
                    Class::Upsert
                };
                let reason = "hooks run after the rest";
                let batch = hooks.into_iter().map(|i| (i, reason.to_owned())).collect();
                self.add_droppable(Side::After, target, rule::MAIN, &batch);
            }
        }
    }

    /// A namespace goes after the hooks that run in it.
    fn keep_namespaces(&mut self, hooks: &[usize]) {
        for hook in hooks {
            let target = &self.nodes[*hook].change.target;
            let namespace = target.namespace.clone().map(|name| ObjectRef {
                group: String::new(),
                kind: "Namespace".to_owned(),
                namespace: None,
                name,
            });
            let namespace = namespace.and_then(|name| self.find(&name, Class::Delete));
            if let Some(namespace) = namespace
                && !self.graph.depends(*hook, namespace)
            {
                let reason = self
                    .graph
                    .reason("hooks run in it after the rest".to_owned());
                self.graph.add(namespace, *hook, reason);
            }
        }
    }

    /// Deletes come after everything that is created or changed, or after the hooks before.
    fn between_classes(&mut self, phase: Phase) {
        let (group, reason) = match phase {
            Phase::Delete => (rule::PRE_HOOKS, "hooks run before the rest"),
            _ => (
                rule::MAIN,
                "what is no longer wanted goes when the rest is done",
            ),
        };
        let batch = (0..self.nodes.len())
            .filter(|i| self.nodes[*i].class == Class::Delete)
            .map(|i| (i, reason.to_owned()))
            .collect();
        self.add_droppable(Side::After, Class::Upsert, group, &batch);
    }

    /// Adds the rules of a batch that close no cycle. One walk decides for all of them: an edge to
    /// the gate changes nothing about what the gate waits for.
    fn add_droppable(&mut self, side: Side, target: Class, group: &str, batch: &Batch) {
        let Some(members) = self.members.get(&(group.to_owned(), target)).cloned() else {
            return;
        };
        if batch.is_empty() {
            return;
        }
        if members.len() <= DIRECT {
            return self.add_singly(side, batch, &members);
        }
        let gate = self.gate(side, target, group, &members);
        let closed = match side {
            Side::After => self.graph.needed_by(gate),
            Side::Before => self.graph.waiting_for(gate),
        };
        let (kept, left): (Batch, Batch) = batch
            .iter()
            .cloned()
            .partition(|(subject, _)| !closed[*subject]);
        for (subject, reason) in kept {
            let reason = self.graph.reason(reason);
            self.link(side, subject, gate, reason);
        }
        self.single_edges += left.len() * members.len();
        if self.single_edges <= SINGLE_EDGES {
            for subject in left {
                self.add_singly(side, &vec![subject], &members);
            }
        }
    }

    /// Adds an edge for each pair of subject and member that closes no cycle.
    fn add_singly(&mut self, side: Side, batch: &Batch, members: &[usize]) {
        if let [(subject, reason)] = batch.as_slice() {
            let closed = match side {
                Side::After => self.graph.waiting_for(*subject),
                Side::Before => self.graph.needed_by(*subject),
            };
            let reason = self.graph.reason(reason.clone());
            for member in members.iter().filter(|member| !closed[**member]) {
                self.link(side, *subject, *member, reason);
            }
            return;
        }
        for member in members {
            let closed = match side {
                Side::After => self.graph.needed_by(*member),
                Side::Before => self.graph.waiting_for(*member),
            };
            for (subject, reason) in batch.iter().filter(|(subject, _)| !closed[*subject]) {
                let reason = self.graph.reason(reason.clone());
                self.link(side, *subject, *member, reason);
            }
        }
    }

    /// The cycle in words. Gates are passed over: what waits for a gate waits for a member.
    fn cycle_error(&self, cycle: &[(usize, usize)]) -> Error {
        let blocked = cycle
            .iter()
            .filter(|(node, _)| *node < self.nodes.len())
            .map(|(node, reason)| Blocked {
                target: self.nodes[*node].change.target.clone(),
                reason: self.graph.reason_text(*reason).to_owned(),
            })
            .collect();
        Error::Cycle(blocked)
    }

    pub(super) fn plan(self) -> Plan {
        let steps = self.nodes.len();
        let sorted: Vec<usize> = self
            .graph
            .sorted()
            .into_iter()
            .filter(|node| *node < steps)
            .collect();
        let mut position = vec![0; steps];
        for (place, node) in sorted.iter().enumerate() {
            position[*node] = place;
        }
        let (gate_of, gates) = self.used_gates(&position);
        let edges = |node: usize| {
            let mut edges: Vec<Edge> = self
                .graph
                .deps(node)
                .iter()
                .filter_map(|(on, reason)| {
                    let on = match on.checked_sub(steps) {
                        None => On::Step(position[*on]),
                        Some(gate) => On::Gate(gate_of[gate]?),
                    };
                    Some(Edge {
                        on,
                        reason: self.graph.reason_text(*reason).to_owned(),
                    })
                })
                .collect();
            edges.sort_by_key(|edge| match edge.on {
                On::Step(step) => (0, step),
                On::Gate(gate) => (1, gate),
            });
            edges
        };
        let mut after: Vec<Vec<Edge>> = (0..steps).map(edges).collect();
        let mut changes: Vec<Option<Change>> = self
            .nodes
            .into_iter()
            .map(|node| Some(node.change))
            .collect();
        let steps = sorted
            .into_iter()
            .filter_map(|node| {
                let change = changes[node].take()?;
                let (wait, release) = (wait::wait(&change), wait::release(&change));
                Some(Step {
                    change,
                    after: std::mem::take(&mut after[node]),
                    wait,
                    release,
                })
            })
            .collect();
        Plan { steps, gates }
    }

    /// The gates that wait for something and are waited for, with their new indexes.
    fn used_gates(&self, position: &[usize]) -> (Vec<Option<usize>>, Vec<Gate>) {
        let steps = self.nodes.len();
        let mut used = vec![false; self.gate_names.len()];
        for node in 0..steps {
            for (on, _) in self.graph.deps(node) {
                if let Some(gate) = on.checked_sub(steps) {
                    used[gate] = true;
                }
            }
        }
        let mut gates = Vec::new();
        let mut gate_of = vec![None; self.gate_names.len()];
        for (gate, name) in self.gate_names.iter().enumerate() {
            let deps = self.graph.deps(steps + gate);
            if used[gate] && !deps.is_empty() {
                let mut members: Vec<usize> = deps.iter().map(|(on, _)| position[*on]).collect();
                members.sort_unstable();
                gate_of[gate] = Some(gates.len());
                gates.push(Gate {
                    name: name.clone(),
                    steps: members,
                });
            }
        }
        (gate_of, gates)
    }
}

type Batches = BTreeMap<(Reverse<Weight>, Side, Class, String), Batch>;

fn collect(batches: &mut Batches, subject: usize, rule: Rule) {
    let key = (Reverse(rule.weight), rule.side, rule.target, rule.group);
    batches.entry(key).or_default().push((subject, rule.reason));
}
