//! The parsed template: nodes in one flat table per text, and how Go prints them.
//!
//! Nodes refer to each other by index, so that neither dropping nor sharing a deep tree recurses.

use super::builtin::Builtin;
use super::function::Function;
use super::number::Number;
use super::origin::Place;
use crate::value::Str;
use crate::value::quote::quoted;
use std::cell::OnceCell;
use std::ops::Range;
use std::rc::Rc;

/// The index of a node in its [`Unit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(pub(super) u32);

/// The index of a variable's name in its [`Unit`]; `$` is the first.
pub(super) type Symbol = u32;

/// The symbol of `$`.
pub(super) const DOLLAR: Symbol = 0;

/// What an identifier calls.
#[derive(Clone, Copy)]
pub(super) enum Callee {
    /// A function of the language.
    Builtin(Builtin),
    /// A function given from outside.
    Function(&'static Function),
}

impl Callee {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Builtin(builtin) => builtin.name(),
            Self::Function(function) => function.name,
        }
    }
}

/// What a node is.
pub(super) enum NodeKind {
    /// Plain text: a range of the source.
    Text(Range<usize>),
    /// `{{ pipeline }}`.
    Action(NodeId),
    Pipe(Pipe),
    /// Arguments, the first of which is the word of the command.
    Command(Box<[NodeId]>),
    Field(Box<[Str]>),
    /// A variable, its name and the fields behind it.
    Variable(Symbol, Str, Box<[Str]>),
    /// A term followed by fields.
    Chain(NodeId, Box<[Str]>),
    Identifier(Callee),
    Dot,
    Nil,
    Bool(bool),
    Number(Box<Number>),
    /// A string constant: where it stands in the source with its quotes, and its text.
    String(Range<usize>, Str),
    If(Branch),
    Range(Branch),
    With(Branch),
    List(Box<[NodeId]>),
    /// A template's name and the pipeline of its data.
    Template(Rc<str>, Option<NodeId>),
    Break,
    Continue,
}

/// A pipeline with its declarations.
#[derive(Default)]
pub(super) struct Pipe {
    /// Whether the variables are assigned, not declared.
    pub(super) is_assign: bool,
    /// The variables: nodes of [`NodeKind::Variable`] and their symbols.
    pub(super) variables: Box<[(NodeId, Symbol)]>,
    pub(super) commands: Box<[NodeId]>,
}

/// The parts of `if`, `range` and `with`.
pub(super) struct Branch {
    pub(super) pipe: NodeId,
    pub(super) body: NodeId,
    pub(super) otherwise: Option<NodeId>,
}

/// A node and its byte offset in the source.
pub(super) struct Node {
    pub(super) pos: usize,
    pub(super) kind: NodeKind,
}

/// One parsed text: what all templates defined in it share.
pub(super) struct Unit {
    /// The name it was parsed under.
    pub(super) name: Rc<str>,
    pub(super) source: Str,
    /// Shared with the same text under other names.
    pub(super) nodes: Rc<[Node]>,
    /// Where its lines begin, once that is asked for.
    pub(super) line_starts: OnceCell<Box<[usize]>>,
}

/// A template.
pub(super) struct Tree {
    pub(super) name: Rc<str>,
    pub(super) unit: Rc<Unit>,
    pub(super) root: NodeId,
    /// Whether there is nothing but space, comments and definitions in it.
    pub(super) is_empty: bool,
}

impl Unit {
    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// The pipeline of a node that is one.
    pub(super) fn pipe(&self, id: NodeId) -> Option<&Pipe> {
        match &self.node(id).kind {
            NodeKind::Pipe(pipe) => Some(pipe),
            _ => None,
        }
    }

    /// The line of a node, from 1, and the bytes before it in that line.
    pub(super) fn position(&self, id: NodeId) -> (usize, usize) {
        let pos = self.node(id).pos.min(self.source.len());
        let line = self.line_of(pos);
        (line, pos - self.line_starts()[line - 1])
    }

    /// The place of a node.
    pub(super) fn place(&self, id: NodeId) -> Place {
        Place {
            file: self.name.to_string(),
            line: self.position(id).0,
        }
    }

    /// The line of a byte of the source, from 1.
    pub(super) fn line_of(&self, pos: usize) -> usize {
        self.line_starts().partition_point(|&start| start <= pos)
    }

    fn line_starts(&self) -> &[usize] {
        self.line_starts.get_or_init(|| {
            let breaks = self.source.iter().enumerate();
            let breaks = breaks.filter(|(_, byte)| **byte == b'\n');
            std::iter::once(0)
                .chain(breaks.map(|(at, _)| at + 1))
                .collect()
        })
    }

    /// A node as Go prints it in error messages.
    pub(super) fn text(&self, id: NodeId) -> String {
        let mut out = Vec::new();
        self.write(&mut out, id);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn write(&self, out: &mut Vec<u8>, id: NodeId) {
        stacker::maybe_grow(super::STACK_RED_ZONE, super::STACK_SEGMENT, || {
            self.write_node(out, id);
        });
    }

    fn write_node(&self, out: &mut Vec<u8>, id: NodeId) {
        match &self.node(id).kind {
            NodeKind::Text(range) | NodeKind::String(range, _) => {
                out.extend_from_slice(&self.source[range.clone()]);
            }
            NodeKind::Action(pipe) => {
                out.extend_from_slice(b"{{");
                self.write(out, *pipe);
                out.extend_from_slice(b"}}");
            }
            NodeKind::Pipe(pipe) => self.write_pipe(out, pipe),
            NodeKind::Command(args) => self.write_command(out, args),
            NodeKind::Field(path) => write_path(out, path),
            NodeKind::Variable(_, name, path) => {
                out.extend_from_slice(name);
                write_path(out, path);
            }
            NodeKind::Chain(base, path) => {
                self.write_operand(out, *base);
                write_path(out, path);
            }
            NodeKind::Identifier(callee) => out.extend_from_slice(callee.name().as_bytes()),
            NodeKind::Dot => out.push(b'.'),
            NodeKind::Nil => out.extend_from_slice(b"nil"),
            NodeKind::Bool(flag) => out.extend_from_slice(flag.to_string().as_bytes()),
            NodeKind::Number(number) => out.extend_from_slice(number.text.as_bytes()),
            NodeKind::If(branch) => self.write_branch(out, "if", branch),
            NodeKind::Range(branch) => self.write_branch(out, "range", branch),
            NodeKind::With(branch) => self.write_branch(out, "with", branch),
            NodeKind::List(items) => items.iter().for_each(|&item| self.write(out, item)),
            NodeKind::Template(name, pipe) => {
                out.extend_from_slice(format!("{{{{template {}", quoted(&**name)).as_bytes());
                if let Some(pipe) = pipe {
                    out.push(b' ');
                    self.write(out, *pipe);
                }
                out.extend_from_slice(b"}}");
            }
            NodeKind::Break => out.extend_from_slice(b"{{break}}"),
            NodeKind::Continue => out.extend_from_slice(b"{{continue}}"),
        }
    }

    fn write_pipe(&self, out: &mut Vec<u8>, pipe: &Pipe) {
        for (i, (variable, _)) in pipe.variables.iter().enumerate() {
            out.extend_from_slice(if i > 0 { b", " } else { b"" });
            self.write(out, *variable);
        }
        if !pipe.variables.is_empty() {
            out.extend_from_slice(if pipe.is_assign { b" = " } else { b" := " });
        }
        for (i, command) in pipe.commands.iter().enumerate() {
            out.extend_from_slice(if i > 0 { b" | " } else { b"" });
            self.write(out, *command);
        }
    }

    fn write_command(&self, out: &mut Vec<u8>, args: &[NodeId]) {
        for (i, arg) in args.iter().enumerate() {
            out.extend_from_slice(if i > 0 { b" " } else { b"" });
            self.write_operand(out, *arg);
        }
    }

    /// A node in a place where pipelines stand in parentheses.
    fn write_operand(&self, out: &mut Vec<u8>, id: NodeId) {
        let in_parens = self.pipe(id).is_some();
        out.extend_from_slice(if in_parens { b"(" } else { b"" });
        self.write(out, id);
        out.extend_from_slice(if in_parens { b")" } else { b"" });
    }

    fn write_branch(&self, out: &mut Vec<u8>, name: &str, branch: &Branch) {
        out.extend_from_slice(format!("{{{{{name} ").as_bytes());
        self.write(out, branch.pipe);
        out.extend_from_slice(b"}}");
        self.write(out, branch.body);
        if let Some(otherwise) = branch.otherwise {
            out.extend_from_slice(b"{{else}}");
            self.write(out, otherwise);
        }
        out.extend_from_slice(b"{{end}}");
    }
}

fn write_path(out: &mut Vec<u8>, path: &[Str]) {
    for name in path {
        out.push(b'.');
        out.extend_from_slice(name);
    }
}
