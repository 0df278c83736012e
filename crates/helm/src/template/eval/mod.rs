//! The evaluator: walks a tree and writes its output.
//!
//! [`pipeline`] evaluates expressions, [`field`] finds fields and methods, [`call`] checks arguments
//! and calls, [`control`] runs blocks, [`runtime`] is what functions may ask for. Follows Go 1.26
//! `text/template/exec.go` with Helm's option `missingkey=zero`.

mod call;
mod control;
mod field;
mod pipeline;
mod runtime;
#[cfg(test)]
mod tests;

pub(super) use field::entry;

use super::ast::{DOLLAR, NodeId, NodeKind, Symbol, Tree};
use super::error::{Detail, Error, ErrorKind};
use super::function::Fault;
use super::origin::{Origin, Trail};
use super::set::{Set, Templates};
use super::world::World;
use crate::limits::{BYTES_PER_STEP, MAX_EVALUATION_DEPTH, deep};
use crate::value::Value;
use control::Flow;
use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

/// What an expression evaluates to: Go's `reflect.Value`.
///
/// Go tells a value from an interface that holds it, and a nil interface from nothing at all; error
/// texts and nil checks depend on it.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) value: Value,
    /// Whether the static type is `interface {}`, as for elements of maps and lists.
    pub(super) is_interface: bool,
    /// Whether it is a field behind a pointer, whose own pointer's methods Go finds too.
    is_addressable: bool,
}

impl Slot {
    /// A value with or without an interface around it.
    pub(super) fn new(value: Value, is_interface: bool) -> Self {
        Self {
            value,
            is_interface,
            is_addressable: false,
        }
    }

    /// A value of its own type; nil is the invalid value.
    pub(super) fn plain(value: Value) -> Self {
        Self::new(value, false)
    }

    /// A value in an empty interface.
    pub(super) fn interface(value: Value) -> Self {
        Self::new(value, true)
    }

    /// What a function returns: its nil comes out of an interface.
    fn returned(value: Value) -> Self {
        let is_interface = value.is_nil();
        Self::new(value, is_interface)
    }

    /// Nothing at all: Go's zero `reflect.Value`.
    fn is_invalid(&self) -> bool {
        self.value.is_nil() && !self.is_interface
    }

    /// The name of the static type.
    pub(super) fn type_name(&self) -> Cow<'static, str> {
        if self.is_interface {
            "interface {}".into()
        } else {
            self.value.type_name()
        }
    }
}

/// One execution.
pub(super) struct Run<'a> {
    templates: &'a Templates,
    world: &'a mut World,
    /// The templates in reach: those of the engine, or of the text that `tpl` runs.
    set: Rc<Set>,
    out: Vec<u8>,
    /// What wrote it, if that is to be known.
    trail: Option<Trail>,
    /// The variables of all running templates.
    variables: Vec<(Symbol, Slot)>,
    /// Where those of the current one begin.
    base: usize,
    /// The node being evaluated, for errors.
    node: NodeId,
    depth: usize,
    template_depth: usize,
    tpl_depth: usize,
    /// How often `include` is inside each template.
    includes: HashMap<Rc<str>, usize>,
    steps_left: u64,
    bytes_left: u64,
    /// Argument lists to use again.
    spare_args: Vec<Vec<Value>>,
}

type Evaluated<T> = Result<T, Error>;

impl<'a> Run<'a> {
    /// Begins a run with the limits of the world.
    pub(super) fn new(templates: &'a Templates, world: &'a mut World) -> Self {
        let limits = world.limits;
        Self {
            templates,
            world,
            set: Rc::clone(&templates.set),
            out: Vec::new(),
            trail: None,
            variables: Vec::new(),
            base: 0,
            node: NodeId::FIRST,
            depth: 0,
            template_depth: 0,
            tpl_depth: 0,
            includes: HashMap::new(),
            steps_left: limits.template_steps.min(limits.steps),
            bytes_left: limits.bytes,
            spare_args: Vec::new(),
        }
    }

    /// Runs a template and returns what it wrote.
    pub(super) fn execute(mut self, tree: &Tree, data: &Value) -> Evaluated<Vec<u8>> {
        self.start(tree, data)?;
        Ok(self.out)
    }

    /// Runs a template and returns what it wrote, and where each line of that came from.
    pub(super) fn execute_traced(
        mut self,
        tree: &Tree,
        data: &Value,
    ) -> Evaluated<(Vec<u8>, Origin)> {
        self.trail = Some(Trail::new(&tree.unit));
        self.start(tree, data)?;
        let trail = self.trail.take().unwrap_or_default();
        let origin = trail.finish(&self.out);
        Ok((self.out, origin))
    }

    /// Runs the outermost template, and takes its steps off those of the world, and what it wrote.
    fn start(&mut self, tree: &Tree, data: &Value) -> Evaluated<()> {
        let (steps, bytes) = (self.steps_left, self.bytes_left);
        let result = self.run(tree, &Slot::plain(data.clone()));
        let written = (bytes - self.bytes_left) / BYTES_PER_STEP as u64;
        let taken = steps - self.steps_left + written;
        let limits = &mut self.world.limits;
        limits.steps = limits.steps.saturating_sub(taken);
        result
    }

    /// Runs a template with variables of its own.
    fn run(&mut self, tree: &Tree, dot: &Slot) -> Evaluated<()> {
        let (base, node, mark) = (self.base, self.node, self.variables.len());
        self.base = mark;
        self.variables.push((DOLLAR, dot.clone()));
        let result = self.nested(tree, |run| run.walk(tree, dot, tree.root));
        self.variables.truncate(mark);
        (self.base, self.node) = (base, node);
        result.map(|_| ())
    }

    /// Runs a nested step, on more stack if need be.
    fn nested<T>(
        &mut self,
        tree: &Tree,
        step: impl FnOnce(&mut Self) -> Evaluated<T>,
    ) -> Evaluated<T> {
        if self.depth >= MAX_EVALUATION_DEPTH {
            return Err(self.error(
                tree,
                format!("exceeded maximum evaluation depth ({MAX_EVALUATION_DEPTH})"),
            ));
        }
        self.depth += 1;
        let result = deep(|| step(self));
        self.depth -= 1;
        result
    }

    /// Runs one node of a template.
    fn walk(&mut self, tree: &Tree, dot: &Slot, id: NodeId) -> Evaluated<Flow> {
        self.node = id;
        self.step(tree)?;
        match &tree.unit.node(id).kind {
            NodeKind::Text(span) => {
                let text = tree.unit.at(*span);
                if let Some(trail) = &mut self.trail {
                    trail.text(&self.out, text, span.start());
                }
                self.write(tree, text)?;
            }
            NodeKind::Action(pipe) => {
                let slot = self.pipeline(tree, dot, *pipe)?;
                if tree.unit.pipe(*pipe).is_some_and(|pipe| pipe.declared == 0) {
                    self.node = id;
                    self.print(tree, &slot)?;
                }
            }
            NodeKind::List(items) => {
                for &item in tree.unit.items(*items) {
                    let flow = self.walk(tree, dot, item)?;
                    if flow != Flow::Next {
                        return Ok(flow);
                    }
                }
            }
            NodeKind::If(branch) => return self.branch(tree, dot, branch, false),
            NodeKind::With(branch) => return self.branch(tree, dot, branch, true),
            NodeKind::Range(branch) => return self.range(tree, dot, branch),
            NodeKind::Template(name, pipe) => {
                self.template(tree, dot, id, tree.unit.template(*name), *pipe)?;
            }
            NodeKind::Break => return Ok(Flow::Break),
            NodeKind::Continue => return Ok(Flow::Continue),
            _ => return Err(self.error(tree, "unknown node")),
        }
        Ok(Flow::Next)
    }

    fn step(&mut self, tree: &Tree) -> Evaluated<()> {
        if self.steps_left == 0 {
            return Err(self.error(tree, self.too_many_steps()));
        }
        self.steps_left -= 1;
        Ok(())
    }

    fn too_many_steps(&self) -> String {
        let limits = &self.world.limits;
        if limits.template_steps <= limits.steps {
            let steps = limits.template_steps;
            format!("template takes more than {steps} steps")
        } else {
            "templates of this render take too many steps in all".to_owned()
        }
    }

    /// Counts bytes that were written or returned.
    fn spend(&mut self, tree: &Tree, bytes: usize) -> Evaluated<()> {
        if self.take_bytes(bytes) {
            return Ok(());
        }
        Err(self.error(tree, self.too_many_bytes()))
    }

    /// Takes bytes off the budget; `false` when there are not so many left.
    fn take_bytes(&mut self, bytes: usize) -> bool {
        let left = self.bytes_left.checked_sub(bytes as u64);
        self.bytes_left = left.unwrap_or(self.bytes_left);
        left.is_some()
    }

    fn too_many_bytes(&self) -> String {
        let limit = self.world.limits.bytes;
        format!("template produces more than {limit} bytes")
    }

    fn write(&mut self, tree: &Tree, text: &[u8]) -> Evaluated<()> {
        self.spend(tree, text.len())?;
        self.out.extend_from_slice(text);
        Ok(())
    }

    /// Prints the result of an action.
    fn print(&mut self, tree: &Tree, slot: &Slot) -> Evaluated<()> {
        let start = self.out.len();
        let printed = match &slot.value {
            Value::Nil => {
                self.out.extend_from_slice(b"<no value>");
                Ok(())
            }
            value => super::fmt::append_action(&mut self.out, value, slot.is_addressable),
        };
        if let Err(unprintable) = printed {
            return Err(self.error(tree, Fault::from(unprintable).message));
        }
        if let Some(trail) = &mut self.trail {
            trail.action(&self.out, start, tree.unit.node(self.node).pos());
        }
        self.spend(tree, self.out.len() - start)
    }

    /// An error at the current node.
    fn error(&self, tree: &Tree, cause: impl Into<String>) -> Error {
        self.failure(tree, cause.into(), false, None)
    }

    /// The error of a called function at the current node.
    fn fault(&self, tree: &Tree, name: &str, fault: Fault) -> Error {
        let cause = format!("error calling {name}: {}", fault.message);
        self.failure(tree, cause, true, fault.inner)
    }

    fn failure(
        &self,
        tree: &Tree,
        cause: String,
        from_function: bool,
        inner: Option<Error>,
    ) -> Error {
        let (line, column) = tree.unit.position(self.node);
        Error::new(Detail {
            kind: ErrorKind::Exec,
            file: Rc::clone(&tree.unit.name),
            line,
            column,
            source: tree.unit.source.clone(),
            template: Rc::clone(&tree.name),
            context: tree.unit.text(self.node),
            cause,
            from_function,
            inner,
        })
    }
}

/// Whether a value is true, with named types over scalars and lists taken for what they hold.
pub(super) fn is_true(value: &Value) -> bool {
    plain_value(value).is_true()
}

/// A value with a named type taken away, so that its kind can be matched.
pub(super) fn plain_value(value: &Value) -> Cow<'_, Value> {
    match value {
        Value::Object(object) => match object.underlying() {
            Some(plain) => Cow::Owned(plain),
            None => Cow::Borrowed(value),
        },
        _ => Cow::Borrowed(value),
    }
}
