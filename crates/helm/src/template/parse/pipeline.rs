//! Pipelines: declarations, commands, operands and terms.

use super::{Constant, Index, Parser, Read, Span, index};
use crate::template::ast::{NodeId, NodeKind, Pipe, Symbol};
use crate::template::number::Number;
use crate::template::token::{Token, TokenKind};
use crate::value::quote::quoted;

impl<'a> Parser<'a> {
    /// Commands with `|` between them up to `end`, perhaps after `$x :=`, `$x =` or `$i, $x :=`.
    pub(super) fn pipeline(&mut self, context: &str, end: TokenKind) -> Read<NodeId> {
        let pos = self.peek_non_space().pos;
        let mark = self.pending.len();
        let is_assign = self.declarations(context)?;
        let commands = self.pending.len();
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
                    let command = self.command()?;
                    self.pending.push(command);
                }
                _ => return Err(self.unexpected(token, context)),
            }
        }
        self.check_commands(commands, context)?;
        let pipe = Pipe {
            is_assign,
            declared: u8::try_from(commands - mark).unwrap_or(u8::MAX),
            items: self.complete(mark),
        };
        Ok(self.add(pos, NodeKind::Pipe(pipe)))
    }

    /// The variables a pipeline declares or assigns become pending; whether it assigns.
    fn declarations(&mut self, context: &str) -> Read<bool> {
        let mark = self.pending.len();
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
                let variable = self.declare(variable);
                self.pending.push(variable);
                if !is_comma {
                    is_assign = next.kind == TokenKind::Assign;
                    break;
                }
                if context != "range" || self.pending.len() >= mark + 2 {
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
        Ok(is_assign)
    }

    /// Brings a variable into scope, and gives its node.
    fn declare(&mut self, token: Token<'a>) -> NodeId {
        let symbol = self.symbol(token.text);
        self.state.variables.push(symbol);
        self.add(token.pos, NodeKind::Variable(symbol, span(token)))
    }

    fn symbol(&mut self, name: &'a [u8]) -> Symbol {
        let known = self.symbols.iter().position(|&other| other == name);
        let found = known.unwrap_or_else(|| {
            self.symbols.push(name);
            self.symbols.len() - 1
        });
        index(found)
    }

    /// Refuses a pipeline without pending commands, and a constant after the first `|`: it takes no argument.
    fn check_commands(&self, mark: usize, context: &str) -> Read<()> {
        let commands = &self.pending[mark..];
        if commands.is_empty() {
            return Err(self.error(format!("missing value for {context}")));
        }
        for (i, &command) in commands.iter().enumerate().skip(1) {
            let NodeKind::Command(args) = self.kind(command) else {
                continue;
            };
            if matches!(
                self.kind(self.draft.tables.items(args)[0]),
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

    /// Operands separated by blanks, up to `|`, `)` or the end of the action.
    fn command(&mut self) -> Read<NodeId> {
        let pos = self.peek_non_space().pos;
        let mark = self.pending.len();
        loop {
            self.peek_non_space();
            let operand = self.operand()?;
            self.pending.extend(operand);
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
        if self.pending.len() == mark {
            return Err(self.error("empty command"));
        }
        let args = self.complete(mark);
        Ok(self.add(pos, NodeKind::Command(args)))
    }

    /// A term with the fields behind it; `None` when something else follows.
    fn operand(&mut self) -> Read<Option<NodeId>> {
        let Some(term) = self.term()? else {
            return Ok(None);
        };
        let first = self.peek();
        if first.kind != TokenKind::Field {
            return Ok(Some(term));
        }
        let mut fields = 0;
        while self.peek().kind == TokenKind::Field {
            fields += self.next().text.len();
        }
        match self.kind(term) {
            NodeKind::Field(path) => {
                let longer = NodeKind::Field(path.and(fields));
                self.draft.tables.replace(term, first.pos, longer);
                Ok(Some(term))
            }
            NodeKind::Variable(symbol, path) => {
                let longer = NodeKind::Variable(symbol, path.and(fields));
                self.draft.tables.replace(term, first.pos, longer);
                Ok(Some(term))
            }
            NodeKind::Pipe(_) | NodeKind::Identifier(_) => {
                let path = Span::new(first.pos, fields);
                Ok(Some(self.add(first.pos, NodeKind::Chain(term, path))))
            }
            literal => {
                let text = quoted(self.literal_text(literal));
                Err(self.error(format!("unexpected . after term {text}")))
            }
        }
    }

    fn literal_text(&self, literal: NodeKind) -> &[u8] {
        match literal {
            NodeKind::Bool(true) => b"true",
            NodeKind::Bool(false) => b"false",
            NodeKind::String(span, _) => span.of(self.source),
            NodeKind::Number(number) => self.draft.tables.numbers[number as usize].text.as_bytes(),
            NodeKind::Nil => b"nil",
            _ => b".",
        }
    }

    /// The simplest operand: a constant, a function, a field, a variable or parentheses.
    fn term(&mut self) -> Read<Option<NodeId>> {
        let token = self.next_non_space();
        let kind = match token.kind {
            TokenKind::Identifier => NodeKind::Identifier(self.callee(token)?),
            TokenKind::Dot => NodeKind::Dot,
            TokenKind::Nil => NodeKind::Nil,
            TokenKind::Variable => self.variable(token)?,
            TokenKind::Field => NodeKind::Field(span(token)),
            TokenKind::Bool => NodeKind::Bool(token.text == b"true"),
            TokenKind::CharConstant | TokenKind::Complex | TokenKind::Number => {
                let number = Number::parse(token.text, token.kind);
                let number = number.map_err(|cause| self.error(cause))?;
                let numbers = &mut self.draft.tables.numbers;
                numbers.push(number);
                NodeKind::Number(index(numbers.len() - 1))
            }
            TokenKind::LeftParen => return self.parenthesized().map(Some),
            TokenKind::String | TokenKind::RawString => {
                let constant = self.constant(token)?;
                self.draft.strings.push(constant);
                NodeKind::String(span(token), index(self.draft.strings.len() - 1))
            }
            _ => {
                self.backup();
                return Ok(None);
            }
        };
        Ok(Some(self.add(token.pos, kind)))
    }

    /// `( … )`, a pipeline of its own.
    fn parenthesized(&mut self) -> Read<NodeId> {
        self.nested(|parser| parser.pipeline("parenthesized pipeline", TokenKind::RightParen))
    }

    /// The value of a string constant.
    fn constant(&self, token: Token<'a>) -> Read<Constant> {
        let (mark, inner) = (token.text[0], token.text.get(1..token.text.len() - 1));
        let is_special = |byte: &u8| match mark {
            b'`' => matches!(byte, b'`' | b'\r'),
            _ => matches!(byte, b'"' | b'\\' | b'\n' | 0x80..),
        };
        match inner {
            Some(inner) if !inner.iter().any(is_special) => {
                Ok(Constant::Plain(Span::new(token.pos + 1, inner.len())))
            }
            _ => self.unquote(token).map(Constant::Unquoted),
        }
    }

    /// The function of that name, among those that the set knows.
    fn callee(&mut self, token: Token<'a>) -> Read<Index> {
        let name = std::str::from_utf8(token.text).unwrap_or_default();
        let callees = &mut self.draft.tables.callees;
        if let Some(known) = callees.iter().position(|callee| callee.name() == name) {
            return Ok(index(known));
        }
        let Some(callee) = self.functions.get(name) else {
            let name = quoted(token.text);
            return Err(self.error(format!("function {name} not defined")));
        };
        callees.push(*callee);
        Ok(index(callees.len() - 1))
    }

    /// A variable that is in scope.
    fn variable(&mut self, token: Token<'a>) -> Read<NodeKind> {
        let symbol = self.symbol(token.text);
        if !self.state.variables.contains(&symbol) {
            return Err(self.error(format!("undefined variable {}", quoted(token.text))));
        }
        Ok(NodeKind::Variable(symbol, span(token)))
    }
}

fn span(token: Token<'_>) -> Span {
    Span::new(token.pos, token.text.len())
}
