//! Pipelines: declarations, commands, operands and terms.

use super::{Parser, Read};
use crate::template::ast::{Callee, NodeId, NodeKind, Pipe, Symbol};
use crate::template::number::Number;
use crate::template::token::{Token, TokenKind};
use crate::value::Str;
use crate::value::quote::quoted;

impl<'a> Parser<'a> {
    /// Commands with `|` between them up to `end`, perhaps after `$x :=`, `$x =` or `$i, $x :=`.
    pub(super) fn pipeline(&mut self, context: &str, end: TokenKind) -> Read<NodeId> {
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
    fn declarations(&mut self, context: &str) -> Read<(Box<[(NodeId, Symbol)]>, bool)> {
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

    /// Brings a variable into scope, and gives its node.
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

    /// Refuses an empty pipeline, and a constant after the first `|`: it takes no argument.
    fn check_commands(&self, commands: &[NodeId], context: &str) -> Read<()> {
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

    /// Operands separated by blanks, up to `|`, `)` or the end of the action.
    fn command(&mut self) -> Read<NodeId> {
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
    fn operand(&mut self) -> Read<Option<NodeId>> {
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

    /// The simplest operand: a constant, a function, a field, a variable or parentheses.
    fn term(&mut self) -> Read<Option<NodeId>> {
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

    /// `( … )`, a pipeline of its own.
    fn parenthesized(&mut self) -> Read<NodeId> {
        self.nested(|parser| parser.pipeline("parenthesized pipeline", TokenKind::RightParen))
    }

    /// The function of that name, among those that the set knows.
    fn callee(&self, token: Token<'a>) -> Read<Callee> {
        let name = std::str::from_utf8(token.text).unwrap_or_default();
        let callee = self.functions.get(name).copied();
        callee.ok_or_else(|| self.error(format!("function {} not defined", quoted(token.text))))
    }

    /// A variable that is in scope.
    fn variable(&mut self, token: Token<'a>) -> Read<NodeKind> {
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
