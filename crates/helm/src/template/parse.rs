//! The parser: tokens into the trees of a text, checked for functions and variables.
//!
//! Follows Go 1.26 `text/template/parse/parse.go`, its look-ahead included, because error messages
//! name the line of the token that was read last.

use super::ast::{Branch, Callee, DOLLAR, Node, NodeId, NodeKind, Pipe, Symbol, Tree, Unit};
use super::error::Error;
use super::lex::Lexer;
use super::number::Number;
use super::token::{Token, TokenKind};
use super::{MAX_NESTING, MAX_SOURCE, STACK_RED_ZONE, STACK_SEGMENT};
use crate::value::Str;
use crate::value::quote::{quoted, unquote};
use std::collections::HashMap;
use std::rc::Rc;

/// The functions a template may call, by name.
pub(super) type Functions = HashMap<&'static str, Callee>;

/// Parses a text under a name; returns its templates, the one of the text itself included.
///
/// # Errors
/// Go's text with the line.
pub(super) fn parse(
    name: &Rc<str>,
    source: &Str,
    functions: &Functions,
) -> Result<Vec<Rc<Tree>>, Error> {
    let mut parser = Parser {
        file: name,
        source,
        functions,
        lexer: Lexer::new(source),
        nodes: Vec::new(),
        symbols: vec![b"$"],
        trees: Vec::new(),
        state: State::new(),
        depth: 0,
    };
    if source.len() > MAX_SOURCE {
        return Err(parser.error(format!("template is larger than {MAX_SOURCE} bytes")));
    }
    parser.lexer.break_ok = !functions.contains_key("break");
    parser.lexer.continue_ok = !functions.contains_key("continue");
    parser.parse_text()?;
    let unit = Rc::new(Unit {
        name: Rc::clone(name),
        source: source.clone(),
        nodes: parser.nodes,
    });
    let tree = |(name, root, is_empty)| {
        Rc::new(Tree {
            name,
            unit: Rc::clone(&unit),
            root,
            is_empty,
        })
    };
    Ok(parser.trees.into_iter().map(tree).collect())
}

/// How a list of nodes ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
    End,
    /// `{{else}}`, and where it stands.
    Else(usize),
}

impl Closing {
    fn text(self) -> &'static str {
        if self == Self::End {
            "{{end}}"
        } else {
            "{{else}}"
        }
    }
}

/// An item of a list, or what ends the list.
enum Item {
    Node(NodeId),
    Closing(Closing),
}

/// What belongs to one template and not to the text: each `define` and `block` starts afresh.
struct State<'a> {
    /// The look-ahead; the first is the token read last.
    tokens: [Token<'a>; 3],
    peeked: usize,
    /// The variables in scope.
    variables: Vec<Symbol>,
    range_depth: usize,
    /// The line of the action being parsed; 0 outside.
    action_line: usize,
}

impl State<'_> {
    fn new() -> Self {
        Self {
            tokens: [Token::NONE; 3],
            peeked: 0,
            variables: vec![DOLLAR],
            range_depth: 0,
            action_line: 0,
        }
    }
}

struct Parser<'a> {
    file: &'a Rc<str>,
    source: &'a Str,
    functions: &'a Functions,
    lexer: Lexer<'a>,
    nodes: Vec<Node>,
    symbols: Vec<&'a [u8]>,
    /// Name, root and emptiness of each template found.
    trees: Vec<(Rc<str>, NodeId, bool)>,
    state: State<'a>,
    /// The depth of nested blocks and parentheses in the whole text.
    depth: usize,
}

type Parsed<T> = Result<T, Error>;

// Tokens.
impl<'a> Parser<'a> {
    fn next(&mut self) -> Token<'a> {
        if self.state.peeked > 0 {
            self.state.peeked -= 1;
        } else {
            self.state.tokens[0] = self.lexer.next_token();
        }
        self.state.tokens[self.state.peeked]
    }

    fn backup(&mut self) {
        self.state.peeked += 1;
    }

    fn peek(&mut self) -> Token<'a> {
        let token = self.next();
        self.backup();
        token
    }

    fn next_non_space(&mut self) -> Token<'a> {
        loop {
            let token = self.next();
            if token.kind != TokenKind::Space {
                return token;
            }
        }
    }

    fn peek_non_space(&mut self) -> Token<'a> {
        let token = self.next_non_space();
        self.backup();
        token
    }

    fn expect(&mut self, kind: TokenKind, context: &str) -> Parsed<Token<'a>> {
        let token = self.next_non_space();
        if token.kind == kind {
            Ok(token)
        } else {
            Err(self.unexpected(token, context))
        }
    }

    fn error(&self, cause: impl Into<String>) -> Error {
        Error::parse(
            self.file,
            self.state.tokens[0].line,
            self.source,
            cause.into(),
        )
    }

    fn unexpected(&self, token: Token<'a>, context: &str) -> Error {
        if token.kind != TokenKind::Error {
            return self.error(format!("unexpected {} in {context}", token.describe()));
        }
        let message = &self.lexer.error;
        let line = self.state.action_line;
        if line == 0 || line == token.line {
            return self.error(message.clone());
        }
        let within = if message.ends_with(" action") {
            ""
        } else {
            " in action"
        };
        self.error(format!("{message}{within} started at {}:{line}", self.file))
    }

    fn add(&mut self, pos: usize, kind: NodeKind) -> NodeId {
        self.nodes.push(Node { pos, kind });
        // `MAX_SOURCE` keeps the number of nodes far below this.
        NodeId(u32::try_from(self.nodes.len() - 1).unwrap_or(u32::MAX))
    }

    fn kind(&self, id: NodeId) -> &NodeKind {
        &self.nodes[id.0 as usize].kind
    }

    /// Runs a nested part, on more stack if need be.
    fn nested<T>(&mut self, part: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_NESTING {
            return Err(self.error("max expression depth exceeded"));
        }
        self.depth += 1;
        let result = stacker::maybe_grow(STACK_RED_ZONE, STACK_SEGMENT, || part(self));
        self.depth -= 1;
        result
    }
}

// Templates and lists.
impl<'a> Parser<'a> {
    /// The whole text, with definitions at its top.
    fn parse_text(&mut self) -> Parsed<()> {
        let pos = self.peek().pos;
        let mut items = Vec::new();
        while self.peek().kind != TokenKind::Eof {
            if self.peek().kind == TokenKind::LeftDelim {
                let delim = self.next();
                if self.next_non_space().kind == TokenKind::Define {
                    self.in_own_state(Self::definition)?;
                    continue;
                }
                self.backup();
                self.state.tokens[1] = delim;
                self.state.peeked = 2;
            }
            match self.text_or_action()? {
                Item::Node(node) => items.push(node),
                Item::Closing(closing) => {
                    return Err(self.error(format!("unexpected {}", closing.text())));
                }
            }
        }
        let root = self.add(pos, NodeKind::List(items.into()));
        self.define(Rc::clone(self.file), root)
    }

    fn in_own_state<T>(&mut self, part: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let outer = std::mem::replace(&mut self.state, State::new());
        let result = part(self);
        self.state = outer;
        result
    }

    fn definition(&mut self) -> Parsed<()> {
        const CONTEXT: &str = "define clause";
        let token = self.next_non_space();
        let name = self.template_name(token, CONTEXT)?;
        self.expect(TokenKind::RightDelim, CONTEXT)?;
        let (root, closing) = self.item_list()?;
        if closing != Closing::End {
            return Err(self.error(format!("unexpected {} in {CONTEXT}", closing.text())));
        }
        self.define(name, root)
    }

    /// Adds a template; an empty one neither replaces nor contradicts another.
    fn define(&mut self, name: Rc<str>, root: NodeId) -> Parsed<()> {
        let is_empty = self.is_empty(root);
        match self.trees.iter_mut().find(|(other, ..)| *other == name) {
            None => self.trees.push((name, root, is_empty)),
            Some(old) if old.2 => *old = (name, root, is_empty),
            Some(_) if is_empty => {}
            Some(_) => {
                let name = quoted(&*name);
                return Err(self.error(format!("template: multiple definition of template {name}")));
            }
        }
        Ok(())
    }

    /// Whether a list holds nothing but space.
    fn is_empty(&self, list: NodeId) -> bool {
        let NodeKind::List(items) = self.kind(list) else {
            return false;
        };
        items.iter().all(|&item| match self.kind(item) {
            NodeKind::Text(range) => std::str::from_utf8(&self.source[range.clone()])
                .is_ok_and(|text| text.chars().all(char::is_whitespace)),
            _ => false,
        })
    }

    fn item_list(&mut self) -> Parsed<(NodeId, Closing)> {
        let pos = self.peek_non_space().pos;
        let mut items = Vec::new();
        while self.peek_non_space().kind != TokenKind::Eof {
            match self.text_or_action()? {
                Item::Node(node) => items.push(node),
                Item::Closing(closing) => {
                    return Ok((self.add(pos, NodeKind::List(items.into())), closing));
                }
            }
        }
        Err(self.error("unexpected EOF"))
    }

    fn text_or_action(&mut self) -> Parsed<Item> {
        let token = self.next_non_space();
        match token.kind {
            TokenKind::Text => {
                let range = token.pos..token.pos + token.text.len();
                Ok(Item::Node(self.add(token.pos, NodeKind::Text(range))))
            }
            TokenKind::LeftDelim => {
                self.state.action_line = token.line;
                let item = self.nested(Self::action);
                self.state.action_line = 0;
                item
            }
            _ => Err(self.unexpected(token, "input")),
        }
    }

    fn action(&mut self) -> Parsed<Item> {
        let token = self.next_non_space();
        let node = match token.kind {
            TokenKind::Block => self.block_control()?,
            TokenKind::Break => self.loop_control(token, NodeKind::Break, "{{break}}")?,
            TokenKind::Continue => self.loop_control(token, NodeKind::Continue, "{{continue}}")?,
            TokenKind::Else => return self.else_control().map(Item::Closing),
            TokenKind::End => {
                self.expect(TokenKind::RightDelim, "end")?;
                return Ok(Item::Closing(Closing::End));
            }
            TokenKind::If | TokenKind::Range | TokenKind::With => self.branch(token.kind)?,
            TokenKind::Template => self.template_control()?,
            _ => {
                self.backup();
                let pos = self.peek().pos;
                let pipe = self.pipeline("command", TokenKind::RightDelim)?;
                self.add(pos, NodeKind::Action(pipe))
            }
        };
        Ok(Item::Node(node))
    }
}

// Control structures.
impl<'a> Parser<'a> {
    fn loop_control(&mut self, token: Token<'a>, kind: NodeKind, name: &str) -> Parsed<NodeId> {
        self.expect(TokenKind::RightDelim, name)?;
        if self.state.range_depth == 0 {
            return Err(self.error(format!("{name} outside {{{{range}}}}")));
        }
        Ok(self.add(token.pos, kind))
    }

    fn else_control(&mut self) -> Parsed<Closing> {
        let token = self.peek_non_space();
        if matches!(token.kind, TokenKind::If | TokenKind::With) {
            return Ok(Closing::Else(token.pos));
        }
        Ok(Closing::Else(
            self.expect(TokenKind::RightDelim, "else")?.pos,
        ))
    }

    /// `if`, `range` or `with`, whose keyword is past. Its variables end with it.
    fn branch(&mut self, keyword: TokenKind) -> Parsed<NodeId> {
        let variables = self.state.variables.len();
        let context = match keyword {
            TokenKind::If => "if",
            TokenKind::Range => "range",
            _ => "with",
        };
        let pipe = self.pipeline(context, TokenKind::RightDelim)?;
        let is_range = usize::from(keyword == TokenKind::Range);
        self.state.range_depth += is_range;
        let (body, closing) = self.item_list()?;
        self.state.range_depth -= is_range;
        let otherwise = match closing {
            Closing::End => None,
            Closing::Else(pos) => Some(self.otherwise(keyword, pos)?),
        };
        self.state.variables.truncate(variables);
        let branch = Branch {
            pipe,
            body,
            otherwise,
        };
        let pos = self.nodes[pipe.0 as usize].pos;
        let kind = match keyword {
            TokenKind::If => NodeKind::If(branch),
            TokenKind::Range => NodeKind::Range(branch),
            _ => NodeKind::With(branch),
        };
        Ok(self.add(pos, kind))
    }

    /// The part after `else`. `{{else if}}` is an `if` within it that shares its `{{end}}`.
    fn otherwise(&mut self, keyword: TokenKind, pos: usize) -> Parsed<NodeId> {
        if keyword != TokenKind::Range && self.peek().kind == keyword {
            self.next();
            let inner = self.nested(|parser| parser.branch(keyword))?;
            return Ok(self.add(pos, NodeKind::List(Box::new([inner]))));
        }
        let (list, closing) = self.item_list()?;
        if closing != Closing::End {
            return Err(self.error(format!("expected end; found {}", closing.text())));
        }
        Ok(list)
    }

    fn block_control(&mut self) -> Parsed<NodeId> {
        const CONTEXT: &str = "block clause";
        let token = self.next_non_space();
        let name = self.template_name(token, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, TokenKind::RightDelim)?;
        let closing = self.in_own_state(|parser| {
            let (root, closing) = parser.item_list()?;
            if closing == Closing::End {
                parser.define(Rc::clone(&name), root)?;
            }
            Ok(closing)
        })?;
        if closing != Closing::End {
            return Err(self.error(format!("unexpected {} in {CONTEXT}", closing.text())));
        }
        Ok(self.add(token.pos, NodeKind::Template(name, Some(pipe))))
    }

    fn template_control(&mut self) -> Parsed<NodeId> {
        const CONTEXT: &str = "template clause";
        let token = self.next_non_space();
        let name = self.template_name(token, CONTEXT)?;
        let mut pipe = None;
        if self.next_non_space().kind != TokenKind::RightDelim {
            self.backup();
            pipe = Some(self.pipeline(CONTEXT, TokenKind::RightDelim)?);
        }
        Ok(self.add(token.pos, NodeKind::Template(name, pipe)))
    }

    fn template_name(&mut self, token: Token<'a>, context: &str) -> Parsed<Rc<str>> {
        if !matches!(token.kind, TokenKind::String | TokenKind::RawString) {
            return Err(self.unexpected(token, context));
        }
        let name = self.unquote(token)?;
        Ok(String::from_utf8_lossy(&name).into())
    }

    fn unquote(&self, token: Token<'a>) -> Parsed<Vec<u8>> {
        unquote(token.text).ok_or_else(|| self.error("invalid syntax"))
    }
}

// Pipelines and operands.
impl<'a> Parser<'a> {
    fn pipeline(&mut self, context: &str, end: TokenKind) -> Parsed<NodeId> {
        let pos = self.peek_non_space().pos;
        let mut pipe = Pipe::default();
        (pipe.variables, pipe.is_assign) = self.declarations(context)?;
        let mut commands = Vec::new();
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => break,
                TokenKind::Bool
                | TokenKind::CharConstant
                | TokenKind::Complex
                | TokenKind::Dot
                | TokenKind::Field
                | TokenKind::Identifier
                | TokenKind::Number
                | TokenKind::Nil
                | TokenKind::RawString
                | TokenKind::String
                | TokenKind::Variable
                | TokenKind::LeftParen => {
                    self.backup();
                    commands.push(self.command()?);
                }
                _ => return Err(self.unexpected(token, context)),
            }
        }
        self.check_commands(&commands, context)?;
        pipe.commands = commands.into();
        Ok(self.add(pos, NodeKind::Pipe(pipe)))
    }

    /// The variables a pipeline declares or assigns, and whether it assigns.
    #[expect(clippy::type_complexity, reason = "the parts of a Pipe")]
    fn declarations(&mut self, context: &str) -> Parsed<(Box<[(NodeId, Symbol)]>, bool)> {
        let mut variables = Vec::new();
        let mut is_assign = false;
        loop {
            let variable = self.peek_non_space();
            if variable.kind != TokenKind::Variable {
                break;
            }
            self.next();
            let adjacent = self.peek();
            let next = self.peek_non_space();
            let is_comma = next.kind == TokenKind::Char && next.text == b",";
            if matches!(next.kind, TokenKind::Assign | TokenKind::Declare) || is_comma {
                self.next_non_space();
                variables.push(self.declare(variable));
                if !is_comma {
                    is_assign = next.kind == TokenKind::Assign;
                    break;
                }
                if context != "range" || variables.len() >= 2 {
                    return Err(self.error(format!("too many declarations in {context}")));
                }
                let after = self.peek_non_space().kind;
                if !matches!(
                    after,
                    TokenKind::Variable | TokenKind::RightDelim | TokenKind::RightParen
                ) {
                    return Err(self.error("range can only initialize variables"));
                }
                continue;
            }
            if adjacent.kind == TokenKind::Space {
                self.state.tokens[1] = adjacent;
                self.state.tokens[2] = variable;
                self.state.peeked = 3;
            } else {
                self.state.tokens[1] = variable;
                self.state.peeked = 2;
            }
            break;
        }
        Ok((variables.into(), is_assign))
    }

    fn declare(&mut self, token: Token<'a>) -> (NodeId, Symbol) {
        let symbol = self.symbol(token.text);
        self.state.variables.push(symbol);
        let kind = NodeKind::Variable(symbol, Str::from(token.text), Box::default());
        (self.add(token.pos, kind), symbol)
    }

    fn symbol(&mut self, name: &'a [u8]) -> Symbol {
        let known = self.symbols.iter().position(|&other| other == name);
        let index = known.unwrap_or_else(|| {
            self.symbols.push(name);
            self.symbols.len() - 1
        });
        Symbol::try_from(index).unwrap_or(Symbol::MAX)
    }

    fn check_commands(&self, commands: &[NodeId], context: &str) -> Parsed<()> {
        if commands.is_empty() {
            return Err(self.error(format!("missing value for {context}")));
        }
        for (i, &command) in commands.iter().enumerate().skip(1) {
            let NodeKind::Command(args) = self.kind(command) else {
                continue;
            };
            if matches!(
                self.kind(args[0]),
                NodeKind::Bool(_)
                    | NodeKind::Dot
                    | NodeKind::Nil
                    | NodeKind::Number(_)
                    | NodeKind::String(..)
            ) {
                let stage = i + 1;
                return Err(self.error(format!("non executable command in pipeline stage {stage}")));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Parsed<NodeId> {
        let pos = self.peek_non_space().pos;
        let mut args = Vec::new();
        loop {
            self.peek_non_space();
            args.extend(self.operand()?);
            let token = self.next();
            match token.kind {
                TokenKind::Space => {}
                TokenKind::RightDelim | TokenKind::RightParen => {
                    self.backup();
                    break;
                }
                TokenKind::Pipe => break,
                _ => return Err(self.unexpected(token, "operand")),
            }
        }
        if args.is_empty() {
            return Err(self.error("empty command"));
        }
        Ok(self.add(pos, NodeKind::Command(args.into())))
    }

    /// A term with the fields behind it; `None` when something else follows.
    fn operand(&mut self) -> Parsed<Option<NodeId>> {
        let Some(term) = self.term()? else {
            return Ok(None);
        };
        let first = self.peek();
        if first.kind != TokenKind::Field {
            return Ok(Some(term));
        }
        let mut fields = Vec::new();
        while self.peek().kind == TokenKind::Field {
            fields.push(Str::from(&self.next().text[1..]));
        }
        let kind = match self.kind(term) {
            NodeKind::Field(path) => NodeKind::Field(path.iter().cloned().chain(fields).collect()),
            NodeKind::Variable(symbol, name, _) => {
                NodeKind::Variable(*symbol, name.clone(), fields.into())
            }
            NodeKind::Bool(_)
            | NodeKind::String(..)
            | NodeKind::Number(_)
            | NodeKind::Nil
            | NodeKind::Dot => {
                let text = self.literal_text(term);
                return Err(self.error(format!("unexpected . after term {}", quoted(text))));
            }
            _ => NodeKind::Chain(term, fields.into()),
        };
        Ok(Some(self.add(first.pos, kind)))
    }

    fn literal_text(&self, id: NodeId) -> Vec<u8> {
        match self.kind(id) {
            NodeKind::Bool(flag) => flag.to_string().into_bytes(),
            NodeKind::String(range, _) => self.source[range.clone()].to_vec(),
            NodeKind::Number(number) => number.text.clone().into_bytes(),
            NodeKind::Nil => b"nil".to_vec(),
            _ => b".".to_vec(),
        }
    }

    fn term(&mut self) -> Parsed<Option<NodeId>> {
        let token = self.next_non_space();
        let kind = match token.kind {
            TokenKind::Identifier => NodeKind::Identifier(self.callee(token)?),
            TokenKind::Dot => NodeKind::Dot,
            TokenKind::Nil => NodeKind::Nil,
            TokenKind::Variable => self.variable(token)?,
            TokenKind::Field => NodeKind::Field(Box::new([Str::from(&token.text[1..])])),
            TokenKind::Bool => NodeKind::Bool(token.text == b"true"),
            TokenKind::CharConstant | TokenKind::Complex | TokenKind::Number => {
                let number = Number::parse(token.text, token.kind);
                NodeKind::Number(Box::new(number.map_err(|cause| self.error(cause))?))
            }
            TokenKind::LeftParen => return self.parenthesized().map(Some),
            TokenKind::String | TokenKind::RawString => {
                let text = self.unquote(token)?;
                NodeKind::String(token.pos..token.pos + token.text.len(), Str::from(text))
            }
            _ => {
                self.backup();
                return Ok(None);
            }
        };
        Ok(Some(self.add(token.pos, kind)))
    }

    fn parenthesized(&mut self) -> Parsed<NodeId> {
        self.nested(|parser| parser.pipeline("parenthesized pipeline", TokenKind::RightParen))
    }

    fn callee(&self, token: Token<'a>) -> Parsed<Callee> {
        let name = std::str::from_utf8(token.text).unwrap_or_default();
        let callee = self.functions.get(name).copied();
        callee.ok_or_else(|| self.error(format!("function {} not defined", quoted(token.text))))
    }

    fn variable(&mut self, token: Token<'a>) -> Parsed<NodeKind> {
        let symbol = self.symbol(token.text);
        if !self.state.variables.contains(&symbol) {
            return Err(self.error(format!("undefined variable {}", quoted(token.text))));
        }
        Ok(NodeKind::Variable(
            symbol,
            Str::from(token.text),
            Box::default(),
        ))
    }
}
