//! Templates, lists of nodes, and control structures.

use super::{Closing, Found, Item, Parser, Read, State};
use crate::template::ast::{Branch, NodeId, NodeKind, Span, index};
use crate::template::token::{Token, TokenKind};
use crate::value::quote::{quoted, unquote};

impl<'a> Parser<'a> {
    /// The whole text, with definitions at its top.
    pub(super) fn parse_text(&mut self) -> Read<()> {
        let pos = self.peek().pos;
        let mark = self.pending.len();
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
                Item::Node(node) => self.pending.push(node),
                Item::Closing(closing) => {
                    return Err(self.error(format!("unexpected {}", closing.text())));
                }
            }
        }
        let items = self.complete(mark);
        let root = self.add(pos, NodeKind::List(items));
        let templates = &self.draft.templates;
        let own = templates.iter().position(|found| *found.name == *self.file);
        self.define(self.file.into(), root)?;
        if let Some(own) = own {
            self.draft.defines_itself = true;
            let found = self.draft.templates.remove(own);
            self.draft.templates.push(found);
        }
        Ok(())
    }

    fn in_own_state<T>(&mut self, part: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        let outer = std::mem::replace(&mut self.state, State::new());
        let result = part(self);
        self.state = outer;
        result
    }

    /// `{{define "name"}} … {{end}}`, at the top level only.
    fn definition(&mut self) -> Read<()> {
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
    fn define(&mut self, name: Box<str>, root: NodeId) -> Read<()> {
        let is_empty = self.is_empty(root);
        let found = Found {
            name,
            root,
            is_empty,
        };
        let mut templates = self.draft.templates.iter_mut();
        match templates.find(|other| other.name == found.name) {
            None => self.draft.templates.push(found),
            Some(old) if old.is_empty => *old = found,
            Some(_) if is_empty => {}
            Some(_) => {
                let name = quoted(&*found.name);
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
        let mut items = self.draft.tables.items(items).iter();
        items.all(|&item| match self.kind(item) {
            NodeKind::Text(span) => std::str::from_utf8(span.of(self.source))
                .is_ok_and(|text| text.chars().all(char::is_whitespace)),
            _ => false,
        })
    }

    /// Text and actions up to the `{{end}}` or `{{else}}` that belongs to the block around them.
    fn item_list(&mut self) -> Read<(NodeId, Closing)> {
        let pos = self.peek_non_space().pos;
        let mark = self.pending.len();
        while self.peek_non_space().kind != TokenKind::Eof {
            match self.text_or_action()? {
                Item::Node(node) => self.pending.push(node),
                Item::Closing(closing) => {
                    let items = self.complete(mark);
                    return Ok((self.add(pos, NodeKind::List(items)), closing));
                }
            }
        }
        Err(self.error("unexpected EOF"))
    }

    /// A text or an action; the lexer has left comments out.
    fn text_or_action(&mut self) -> Read<Item> {
        let token = self.next_non_space();
        match token.kind {
            TokenKind::Text => {
                let span = Span::new(token.pos, token.text.len());
                Ok(Item::Node(self.add(token.pos, NodeKind::Text(span))))
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

    /// What stands between `{{` and `}}`: a keyword or a pipeline.
    fn action(&mut self) -> Read<Item> {
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

impl<'a> Parser<'a> {
    /// `{{break}}` or `{{continue}}`, within a `range` only.
    fn loop_control(&mut self, token: Token<'a>, kind: NodeKind, name: &str) -> Read<NodeId> {
        self.expect(TokenKind::RightDelim, name)?;
        if self.state.range_depth == 0 {
            return Err(self.error(format!("{name} outside {{{{range}}}}")));
        }
        Ok(self.add(token.pos, kind))
    }

    /// `{{else}}`; what follows it in `{{else if …}}` is left to the block.
    fn else_control(&mut self) -> Read<Closing> {
        let token = self.peek_non_space();
        if matches!(token.kind, TokenKind::If | TokenKind::With) {
            return Ok(Closing::Else(token.pos));
        }
        Ok(Closing::Else(
            self.expect(TokenKind::RightDelim, "else")?.pos,
        ))
    }

    /// `if`, `range` or `with`, whose keyword is past. Its variables end with it.
    fn branch(&mut self, keyword: TokenKind) -> Read<NodeId> {
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
        let pos = self.draft.tables.node(pipe).pos();
        let kind = match keyword {
            TokenKind::If => NodeKind::If(branch),
            TokenKind::Range => NodeKind::Range(branch),
            _ => NodeKind::With(branch),
        };
        Ok(self.add(pos, kind))
    }

    /// The part after `else`. `{{else if}}` is an `if` within it that shares its `{{end}}`.
    fn otherwise(&mut self, keyword: TokenKind, pos: usize) -> Read<NodeId> {
        if keyword != TokenKind::Range && self.peek().kind == keyword {
            self.next();
            let inner = self.nested(|parser| parser.branch(keyword))?;
            let items = self.draft.tables.add_items(std::iter::once(inner));
            return Ok(self.add(pos, NodeKind::List(items)));
        }
        let (list, closing) = self.item_list()?;
        if closing != Closing::End {
            return Err(self.error(format!("expected end; found {}", closing.text())));
        }
        Ok(list)
    }

    /// `{{block "name" pipeline}} … {{end}}`: a definition, and its call at this place.
    fn block_control(&mut self) -> Read<NodeId> {
        const CONTEXT: &str = "block clause";
        let token = self.next_non_space();
        let name = self.template_name(token, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, TokenKind::RightDelim)?;
        let closing = self.in_own_state(|parser| {
            let (root, closing) = parser.item_list()?;
            if closing == Closing::End {
                parser.define(name.clone(), root)?;
            }
            Ok(closing)
        })?;
        if closing != Closing::End {
            return Err(self.error(format!("unexpected {} in {CONTEXT}", closing.text())));
        }
        Ok(self.call(token.pos, name, Some(pipe)))
    }

    /// `{{template "name" pipeline}}`.
    fn template_control(&mut self) -> Read<NodeId> {
        const CONTEXT: &str = "template clause";
        let token = self.next_non_space();
        let name = self.template_name(token, CONTEXT)?;
        let mut pipe = None;
        if self.next_non_space().kind != TokenKind::RightDelim {
            self.backup();
            pipe = Some(self.pipeline(CONTEXT, TokenKind::RightDelim)?);
        }
        Ok(self.call(token.pos, name, pipe))
    }

    fn call(&mut self, pos: usize, name: Box<str>, pipe: Option<NodeId>) -> NodeId {
        let names = &mut self.draft.tables.names;
        names.push(name);
        let name = index(names.len() - 1);
        self.add(pos, NodeKind::Template(name, pipe))
    }

    /// The name of a template: a constant string.
    fn template_name(&mut self, token: Token<'a>, context: &str) -> Read<Box<str>> {
        if !matches!(token.kind, TokenKind::String | TokenKind::RawString) {
            return Err(self.unexpected(token, context));
        }
        let name = self.unquote(token)?;
        Ok(String::from_utf8_lossy(&name).into())
    }

    /// The string that a constant stands for.
    pub(super) fn unquote(&self, token: Token<'a>) -> Read<Vec<u8>> {
        unquote(token.text).ok_or_else(|| self.error("invalid syntax"))
    }
}
