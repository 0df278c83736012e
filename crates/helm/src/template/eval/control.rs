//! Blocks: `if`, `with`, `range` and `{{template}}`.

use super::{Evaluated, Run, Slot, is_true, plain_value};
use crate::limits::MAX_TEMPLATE_DEPTH;
use crate::template::ast::{Branch, NodeId, Pipe, Tree};
use crate::value::quote::quoted;
use crate::value::{Elem, IntKind, MapKind, Str, UintKind, Value};

/// How a node ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// As usual.
    Next,
    /// With `{{break}}`.
    Break,
    /// With `{{continue}}`.
    Continue,
}

impl Run<'_> {
    /// `if`, or `with`, which also sets the dot.
    pub(super) fn branch(
        &mut self,
        tree: &Tree,
        dot: &Slot,
        branch: &Branch,
        sets_dot: bool,
    ) -> Evaluated<Flow> {
        let mark = self.variables.len();
        let slot = self.pipeline(tree, dot, branch.pipe)?;
        let flow = if is_true(&slot.value) {
            let dot = if sets_dot { &slot } else { dot };
            self.nested(tree, |run| run.walk(tree, dot, branch.body))
        } else {
            self.otherwise(tree, dot, branch)
        };
        self.variables.truncate(mark);
        flow
    }

    fn otherwise(&mut self, tree: &Tree, dot: &Slot, branch: &Branch) -> Evaluated<Flow> {
        match branch.otherwise {
            Some(list) => self.nested(tree, |run| run.walk(tree, dot, list)),
            None => Ok(Flow::Next),
        }
    }

    /// Runs a `range`: the body for each element, or else the other branch.
    pub(super) fn range(&mut self, tree: &Tree, dot: &Slot, branch: &Branch) -> Evaluated<Flow> {
        let mark = self.variables.len();
        let slot = self.pipeline(tree, dot, branch.pipe)?;
        let ran = self.iterate(tree, &slot.value, branch)?;
        let mut flow = Flow::Next;
        if !ran {
            flow = self.otherwise(tree, dot, branch)?;
        }
        self.variables.truncate(mark);
        // A `break` in the else part is consumed here too, as Go does.
        Ok(if flow == Flow::Break {
            Flow::Next
        } else {
            flow
        })
    }

    /// Runs the body for each element; `false` when there is none.
    fn iterate(&mut self, tree: &Tree, value: &Value, branch: &Branch) -> Evaluated<bool> {
        let elem = Slot::new;
        let plain = plain_value(value);
        match &*plain {
            Value::Nil => Ok(false),
            Value::Int(count, kind) => self.count(tree, branch, i128::from(*count), |number| {
                Value::Int(i64::try_from(number).unwrap_or(i64::MAX), *kind)
            }),
            Value::Uint(count, kind) => self.count(tree, branch, i128::from(*count), |number| {
                Value::Uint(number, *kind)
            }),
            Value::List(list) => {
                let any = list.elem() == Elem::Any;
                let items = list.items().iter().enumerate();
                self.each(
                    tree,
                    branch,
                    items.map(|(i, item)| (index(i), elem(item.clone(), any))),
                )
            }
            Value::Bytes(bytes) => {
                let byte = |byte: u8| elem(Value::Uint(u64::from(byte), UintKind::Uint8), false);
                let items = bytes.iter().enumerate();
                self.each(tree, branch, items.map(|(i, item)| (index(i), byte(*item))))
            }
            Value::Map(map) => {
                let any = !matches!(map.kind(), MapKind::Str | MapKind::Files);
                self.spend(tree, map.len() * size_of::<(Str, Value)>())?;
                let entries = map.entries().into_iter();
                let entries = entries.map(|(key, item)| (Value::Str(key), elem(item, any)));
                self.each(tree, branch, entries)
            }
            _ => {
                let text = self.printed(tree, value)?;
                Err(self.error(tree, format!("range can't iterate over {text}")))
            }
        }
    }

    /// Counts from 0 up to a number.
    fn count(
        &mut self,
        tree: &Tree,
        branch: &Branch,
        count: i128,
        number: impl Fn(u64) -> Value,
    ) -> Evaluated<bool> {
        if tree
            .unit
            .pipe(branch.pipe)
            .is_some_and(|pipe| pipe.declared > 1)
        {
            return Err(self.error(
                tree,
                format!("can't use {count} to iterate over more than one variable"),
            ));
        }
        self.each(
            tree,
            branch,
            (0..u64::try_from(count).unwrap_or(0)).map(|i| (Value::Nil, Slot::plain(number(i)))),
        )
    }

    fn each(
        &mut self,
        tree: &Tree,
        branch: &Branch,
        elements: impl Iterator<Item = (Value, Slot)>,
    ) -> Evaluated<bool> {
        let mark = self.variables.len();
        let mut ran = false;
        for (index, elem) in elements {
            ran = true;
            if let Some(pipe) = tree.unit.pipe(branch.pipe) {
                self.set_range_variables(tree, pipe, index, &elem)?;
            }
            let flow = self.nested(tree, |run| run.walk(tree, &elem, branch.body))?;
            self.variables.truncate(mark);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(ran)
    }

    /// With one variable it is the element, with two the index comes first.
    fn set_range_variables(
        &mut self,
        tree: &Tree,
        pipe: &Pipe,
        index: Value,
        elem: &Slot,
    ) -> Evaluated<()> {
        let index = Slot::plain(index);
        let symbol = |variable: &NodeId| tree.unit.symbol(*variable);
        match (tree.unit.variables(pipe), pipe.is_assign) {
            ([], _) => {}
            ([only], true) => self.assign(tree, symbol(only), elem.clone())?,
            ([first, second, ..], true) => {
                self.assign(tree, symbol(first), index)?;
                self.assign(tree, symbol(second), elem.clone())?;
            }
            (declared, false) => {
                let top = self.variables.len();
                self.variables[top - 1].1 = elem.clone();
                if declared.len() > 1 {
                    self.variables[top - 2].1 = index;
                }
            }
        }
        Ok(())
    }

    /// `{{template "name" pipeline}}`.
    pub(super) fn template(
        &mut self,
        tree: &Tree,
        dot: &Slot,
        id: NodeId,
        name: &str,
        pipe: Option<NodeId>,
    ) -> Evaluated<()> {
        let Some(target) = self.set.get(name).cloned() else {
            return Err(self.error(tree, format!("template {} not defined", quoted(name))));
        };
        if self.template_depth >= MAX_TEMPLATE_DEPTH {
            let cause = format!("exceeded maximum template depth ({MAX_TEMPLATE_DEPTH})");
            return Err(self.error(tree, cause));
        }
        let data = match pipe {
            Some(pipe) => self.pipeline(tree, dot, pipe)?,
            None => Slot::plain(Value::Nil),
        };
        self.template_depth += 1;
        let trail = self.trail.as_mut();
        let mile = trail.map(|trail| trail.enter(&target.unit, tree.unit.node(id).pos()));
        let result = self.run(&target, &data);
        if let (Some(trail), Some(mile)) = (&mut self.trail, mile) {
            trail.leave(&mile);
        }
        self.template_depth -= 1;
        result
    }
}

fn index(index: usize) -> Value {
    Value::Int(i64::try_from(index).unwrap_or(i64::MAX), IntKind::Int)
}
