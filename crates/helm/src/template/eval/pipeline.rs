//! Expressions: pipelines, commands, constants and variables.

use super::{Evaluated, Run, Slot};
use crate::template::ast::{NodeId, NodeKind, Symbol, Tree};
use crate::template::fmt;
use crate::template::function::Fault;
use crate::template::number::Number;
use crate::value::Value;

impl Run<'_> {
    /// The value of a pipeline; its variables stay on the stack.
    pub(super) fn pipeline(&mut self, tree: &Tree, dot: &Slot, id: NodeId) -> Evaluated<Slot> {
        self.node = id;
        let Some(pipe) = tree.unit.pipe(id) else {
            return Err(self.error(tree, "not a pipeline"));
        };
        let mut last = None;
        for &command in tree.unit.commands(pipe) {
            let slot = self.command(tree, dot, command, last)?;
            // An empty interface gives way to what it holds.
            last = Some(Slot {
                is_interface: false,
                ..slot
            });
        }
        let slot = last.unwrap_or(Slot::plain(Value::Nil));
        for &variable in tree.unit.variables(pipe) {
            let symbol = tree.unit.symbol(variable);
            if pipe.is_assign {
                self.assign(tree, symbol, slot.clone())?;
            } else {
                self.variables.push((symbol, slot.clone()));
            }
        }
        Ok(slot)
    }

    /// Gives a new value to the variable of that name that was declared last.
    pub(super) fn assign(&mut self, tree: &Tree, symbol: Symbol, slot: Slot) -> Evaluated<()> {
        let mut variables = self.variables[self.base..].iter_mut();
        if let Some((_, variable)) = variables.rfind(|(other, _)| *other == symbol) {
            *variable = slot;
            return Ok(());
        }
        Err(self.undefined(tree, symbol))
    }

    fn undefined(&self, tree: &Tree, symbol: Symbol) -> crate::template::Error {
        let mut nodes = tree.unit.tables.nodes.iter();
        let name = nodes.find_map(|node| match node.kind {
            NodeKind::Variable(other, path) if other == symbol => {
                tree.unit.at(path).split(|&byte| byte == b'.').next()
            }
            _ => None,
        });
        let name = String::from_utf8_lossy(name.unwrap_or_default());
        self.error(tree, format!("undefined variable: {name}"))
    }

    /// The value of a command, which gets the value before the pipe as its last argument.
    fn command(
        &mut self,
        tree: &Tree,
        dot: &Slot,
        id: NodeId,
        last: Option<Slot>,
    ) -> Evaluated<Slot> {
        let NodeKind::Command(args) = &tree.unit.node(id).kind else {
            return Err(self.error(tree, "not a command"));
        };
        let args = tree.unit.items(*args);
        let word = args[0];
        match &tree.unit.node(word).kind {
            NodeKind::Field(path) => {
                self.node = word;
                let path = tree.unit.at(*path);
                self.path(tree, dot, dot.clone(), word, path, (args, last))
            }
            NodeKind::Chain(base, path) => {
                let path = tree.unit.at(*path);
                self.chain(tree, dot, word, *base, path, (args, last))
            }
            NodeKind::Identifier(callee) => {
                self.node = word;
                let callee = tree.unit.callee(*callee);
                self.call(tree, dot, callee, id, &args[1..], last)
            }
            NodeKind::Pipe(_) => {
                self.takes_no_argument(tree, args, last.as_ref())?;
                self.nested(tree, |run| run.pipeline(tree, dot, word))
            }
            NodeKind::Variable(symbol, path) => {
                let path = tree.unit.at(*path);
                self.variable(tree, dot, word, *symbol, path, (args, last))
            }
            constant => {
                self.node = word;
                self.takes_no_argument(tree, args, last.as_ref())?;
                match constant {
                    NodeKind::Dot => Ok(dot.clone()),
                    NodeKind::Nil => Err(self.error(tree, "nil is not a command")),
                    _ => self.constant(tree, constant),
                }
            }
        }
    }

    /// A boolean, number or string of the text.
    pub(super) fn constant(&mut self, tree: &Tree, kind: &NodeKind) -> Evaluated<Slot> {
        let value = match kind {
            NodeKind::Bool(flag) => Value::Bool(*flag),
            NodeKind::String(_, text) => Value::Str(tree.unit.string(*text).clone()),
            NodeKind::Number(number) => self.ideal_constant(tree, tree.unit.number(*number))?,
            _ => return Err(self.error(tree, "can't evaluate command")),
        };
        Ok(Slot::plain(value))
    }

    /// A number where no type is asked for.
    fn ideal_constant(&mut self, tree: &Tree, number: &Number) -> Evaluated<Value> {
        match number {
            Number {
                complex: Some((real, imaginary)),
                ..
            } => Ok(Value::Complex(*real, *imaginary)),
            Number {
                float: Some(float), ..
            } if number.is_written_as_float() => Ok(Value::Float(*float)),
            Number { int: Some(int), .. } => Ok(Value::int(*int)),
            Number {
                uint: Some(_),
                text,
                ..
            } => Err(self.error(tree, format!("{text} overflows int"))),
            _ => Ok(Value::Nil),
        }
    }

    fn takes_no_argument(
        &self,
        tree: &Tree,
        args: &[NodeId],
        last: Option<&Slot>,
    ) -> Evaluated<()> {
        if args.len() > 1 || last.is_some() {
            let text = tree.unit.text(args[0]);
            return Err(self.error(tree, format!("can't give argument to non-function {text}")));
        }
        Ok(())
    }

    /// The value of a variable and the fields behind it.
    pub(super) fn variable(
        &mut self,
        tree: &Tree,
        dot: &Slot,
        id: NodeId,
        symbol: Symbol,
        path: &[u8],
        (args, last): (&[NodeId], Option<Slot>),
    ) -> Evaluated<Slot> {
        self.node = id;
        let variables = &self.variables[self.base..];
        let Some((_, slot)) = variables.iter().rfind(|(other, _)| *other == symbol) else {
            return Err(self.undefined(tree, symbol));
        };
        let slot = slot.clone();
        if !path.contains(&b'.') {
            if !args.is_empty() {
                self.takes_no_argument(tree, args, last.as_ref())?;
            }
            return Ok(slot);
        }
        self.path(tree, dot, slot, id, path, (args, last))
    }

    /// A value as an action prints it, for an error message.
    pub(super) fn printed(&self, tree: &Tree, value: &Value) -> Evaluated<String> {
        let mut text = Vec::new();
        match fmt::append_action(&mut text, value, false) {
            Ok(()) => Ok(String::from_utf8_lossy(&text).into_owned()),
            Err(unprintable) => Err(self.error(tree, Fault::from(unprintable).message)),
        }
    }
}
