//! The parsed template: nodes in one flat table per text, and how Go prints them.
//!
//! Nodes refer to each other by index, so that neither dropping nor sharing a deep tree recurses; and
//! they own nothing, because large charts have hundreds of thousands of them.

use super::builtin::Builtin;
use super::function::Function;
use super::number::Number;
use super::origin::Place;
use crate::limits::deep;
use crate::value::Str;
use crate::value::quote::quoted;
use memchr::memchr_iter;
use std::cell::OnceCell;
use std::num::NonZeroU32;
use std::rc::Rc;

/// The place of a node in its [`Unit`], from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(NonZeroU32);

impl NodeId {
    /// The first node.
    pub(super) const FIRST: Self = Self(NonZeroU32::MIN);

    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// The index of something in a table of its [`Unit`].
pub(super) type Index = u32;

/// The index of a variable's name in its text; `$` is the first.
pub(super) type Symbol = Index;

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
    /// The name that templates call it by.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Builtin(builtin) => builtin.name(),
            Self::Function(function) => function.name,
        }
    }
}

/// A piece of the source, by its first byte and the one after it.
#[derive(Clone, Copy)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The piece of so many bytes from a place on.
    pub(super) fn new(start: usize, len: usize) -> Self {
        Self {
            start: index(start),
            end: index(start + len),
        }
    }

    /// This piece and the bytes that follow it.
    pub(super) fn and(self, len: usize) -> Self {
        Self::new(self.start as usize, (self.end - self.start) as usize + len)
    }

    /// Where the piece begins, in bytes.
    pub(super) fn start(self) -> usize {
        self.start as usize
    }

    /// The bytes of the piece.
    pub(super) fn of(self, source: &[u8]) -> &[u8] {
        &source[self.start as usize..self.end as usize]
    }
}

/// A row of nodes in [`Tables::items`].
#[derive(Clone, Copy, Default)]
pub(super) struct Items {
    start: u32,
    end: u32,
}

/// What a node is.
#[derive(Clone, Copy)]
pub(super) enum NodeKind {
    /// Plain text.
    Text(Span),
    /// `{{ pipeline }}`.
    Action(NodeId),
    Pipe(Pipe),
    /// Arguments, the first of which is the word of the command.
    Command(Items),
    /// `.a.b`.
    Field(Span),
    /// A variable and the fields behind it: `$x.a.b`.
    Variable(Symbol, Span),
    /// A term followed by the fields `.a.b`.
    Chain(NodeId, Span),
    /// One of [`Tables::callees`].
    Identifier(Index),
    Dot,
    Nil,
    Bool(bool),
    /// One of [`Tables::numbers`].
    Number(Index),
    /// A string constant as it stands in the source, and one of [`Unit::strings`].
    String(Span, Index),
    If(Branch),
    Range(Branch),
    With(Branch),
    List(Items),
    /// A template's name, one of [`Tables::names`], and the pipeline of its data.
    Template(Index, Option<NodeId>),
    Break,
    Continue,
}

/// A pipeline with its declarations.
#[derive(Clone, Copy)]
pub(super) struct Pipe {
    /// Whether the variables are assigned, not declared.
    pub(super) is_assign: bool,
    /// How many of the items are variables; the others are commands.
    pub(super) declared: u8,
    pub(super) items: Items,
}

/// The parts of `if`, `range` and `with`.
#[derive(Clone, Copy)]
pub(super) struct Branch {
    pub(super) pipe: NodeId,
    pub(super) body: NodeId,
    pub(super) otherwise: Option<NodeId>,
}

/// A node and its byte offset in the source.
#[derive(Clone, Copy)]
pub(super) struct Node {
    pos: u32,
    pub(super) kind: NodeKind,
}

impl Node {
    /// Where Go sees the node, in bytes: not always its first one.
    pub(super) fn pos(&self) -> usize {
        self.pos as usize
    }
}

/// The nodes of a text and what they refer to.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) nodes: Vec<Node>,
    items: Vec<NodeId>,
    pub(super) callees: Vec<Callee>,
    pub(super) numbers: Vec<Number>,
    pub(super) names: Vec<Box<str>>,
}

impl Tables {
    /// The node of that place.
    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// The nodes of a row.
    pub(super) fn items(&self, items: Items) -> &[NodeId] {
        &self.items[items.start as usize..items.end as usize]
    }

    /// Adds a node.
    pub(super) fn add(&mut self, pos: usize, kind: NodeKind) -> NodeId {
        let pos = index(pos);
        self.nodes.push(Node { pos, kind });
        NodeId(NonZeroU32::new(index(self.nodes.len())).unwrap_or(NonZeroU32::MAX))
    }

    /// Makes another node of one.
    pub(super) fn replace(&mut self, id: NodeId, pos: usize, kind: NodeKind) {
        let pos = index(pos);
        self.nodes[id.index()] = Node { pos, kind };
    }

    /// Adds a row of nodes.
    pub(super) fn add_items(&mut self, items: impl Iterator<Item = NodeId>) -> Items {
        let start = index(self.items.len());
        self.items.extend(items);
        let end = index(self.items.len());
        Items { start, end }
    }

    /// Gives back the room for more.
    pub(super) fn shrink(&mut self) {
        self.nodes.shrink_to_fit();
        self.items.shrink_to_fit();
    }
}

/// An index. The longest source that is read keeps all of them far below the limit.
pub(super) fn index(index: usize) -> Index {
    Index::try_from(index).unwrap_or(Index::MAX)
}

/// One parsed text: what all templates defined in it share.
pub(super) struct Unit {
    /// The name it was parsed under.
    pub(super) name: Rc<str>,
    pub(super) source: Str,
    /// Shared with the same text under other names.
    pub(super) tables: Rc<Tables>,
    /// The values of string constants; shared too.
    pub(super) strings: Rc<[Str]>,
    /// Where its lines begin, once that is asked for.
    pub(super) line_starts: OnceCell<Box<[u32]>>,
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
    /// The node of that place.
    pub(super) fn node(&self, id: NodeId) -> &Node {
        self.tables.node(id)
    }

    /// The pipeline of a node that is one.
    pub(super) fn pipe(&self, id: NodeId) -> Option<&Pipe> {
        match &self.node(id).kind {
            NodeKind::Pipe(pipe) => Some(pipe),
            _ => None,
        }
    }

    /// The nodes of a row.
    pub(super) fn items(&self, items: Items) -> &[NodeId] {
        self.tables.items(items)
    }

    /// The variables that a pipeline declares or assigns.
    pub(super) fn variables(&self, pipe: &Pipe) -> &[NodeId] {
        &self.items(pipe.items)[..usize::from(pipe.declared)]
    }

    /// The commands of a pipeline.
    pub(super) fn commands(&self, pipe: &Pipe) -> &[NodeId] {
        &self.items(pipe.items)[usize::from(pipe.declared)..]
    }

    /// The symbol of a node that is a variable.
    pub(super) fn symbol(&self, id: NodeId) -> Symbol {
        match self.node(id).kind {
            NodeKind::Variable(symbol, _) => symbol,
            _ => DOLLAR,
        }
    }

    /// A piece of the source.
    pub(super) fn at(&self, span: Span) -> &[u8] {
        span.of(&self.source)
    }

    /// What an identifier calls.
    pub(super) fn callee(&self, index: Index) -> Callee {
        self.tables.callees[index as usize]
    }

    /// A number constant.
    pub(super) fn number(&self, index: Index) -> &Number {
        &self.tables.numbers[index as usize]
    }

    /// The value of a string constant, without quotes and escapes.
    pub(super) fn string(&self, index: Index) -> &Str {
        &self.strings[index as usize]
    }

    /// The name of a template that is called.
    pub(super) fn template(&self, index: Index) -> &str {
        &self.tables.names[index as usize]
    }

    /// The line of a node, from 1, and the bytes before it in that line.
    pub(super) fn position(&self, id: NodeId) -> (usize, usize) {
        let pos = self.node(id).pos().min(self.source.len());
        let line = self.line_of(pos);
        (line, pos - self.line_starts()[line - 1] as usize)
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
        let pos = index(pos);
        self.line_starts().partition_point(|&start| start <= pos)
    }

    fn line_starts(&self) -> &[u32] {
        self.line_starts.get_or_init(|| {
            let breaks = memchr_iter(b'\n', &self.source);
            std::iter::once(0)
                .chain(breaks.map(|at| index(at + 1)))
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
        deep(|| {
            self.write_node(out, id);
        });
    }

    fn write_node(&self, out: &mut Vec<u8>, id: NodeId) {
        match &self.node(id).kind {
            NodeKind::Text(span)
            | NodeKind::String(span, _)
            | NodeKind::Field(span)
            | NodeKind::Variable(_, span) => out.extend_from_slice(self.at(*span)),
            NodeKind::Action(pipe) => {
                out.extend_from_slice(b"{{");
                self.write(out, *pipe);
                out.extend_from_slice(b"}}");
            }
            NodeKind::Pipe(pipe) => self.write_pipe(out, pipe),
            NodeKind::Command(args) => self.write_command(out, self.items(*args)),
            NodeKind::Chain(base, path) => {
                self.write_operand(out, *base);
                out.extend_from_slice(self.at(*path));
            }
            NodeKind::Identifier(callee) => {
                out.extend_from_slice(self.callee(*callee).name().as_bytes());
            }
            NodeKind::Dot => out.push(b'.'),
            NodeKind::Nil => out.extend_from_slice(b"nil"),
            NodeKind::Bool(flag) => out.extend_from_slice(flag.to_string().as_bytes()),
            NodeKind::Number(number) => {
                out.extend_from_slice(self.number(*number).text.as_bytes());
            }
            NodeKind::If(branch) => self.write_branch(out, "if", branch),
            NodeKind::Range(branch) => self.write_branch(out, "range", branch),
            NodeKind::With(branch) => self.write_branch(out, "with", branch),
            NodeKind::List(items) => {
                let items = self.items(*items).iter();
                items.for_each(|&item| self.write(out, item));
            }
            NodeKind::Template(name, pipe) => {
                let name = quoted(self.template(*name));
                out.extend_from_slice(format!("{{{{template {name}").as_bytes());
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
        for (i, variable) in self.variables(pipe).iter().enumerate() {
            out.extend_from_slice(if i > 0 { b", " } else { b"" });
            self.write(out, *variable);
        }
        if pipe.declared > 0 {
            out.extend_from_slice(if pipe.is_assign { b" = " } else { b" := " });
        }
        for (i, command) in self.commands(pipe).iter().enumerate() {
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
