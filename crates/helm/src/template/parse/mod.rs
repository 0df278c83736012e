//! The parser: tokens into the trees of a text, checked for functions and variables.
//!
//! [`block`] reads templates, lists and control structures, [`pipeline`] what stands within an action.
//! Follows Go 1.26 `text/template/parse/parse.go`, its look-ahead included, because error messages
//! name the line of the token that was read last.

mod block;
mod pipeline;

use crate::limits::{MAX_NESTING, MAX_SOURCE, deep};
use crate::template::ast::{
    Callee, DOLLAR, Index, Items, NodeId, NodeKind, Span, Symbol, Tables, Tree, Unit, index,
};
use crate::template::lex::Lexer;
use crate::template::token::{Token, TokenKind};
use crate::value::Str;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::rc::Rc;

/// The functions a template may call, by name.
pub(super) type Functions = HashMap<&'static str, Callee>;

/// What is wrong in a text, and in which line of it.
pub(super) struct SyntaxError {
    pub(super) line: usize,
    pub(super) cause: String,
}

/// What the parser makes of a text. Nothing in it is shared, so that any thread can make it.
#[derive(Default)]
pub(super) struct Draft {
    tables: Tables,
    strings: Vec<Constant>,
    /// The templates, that of the text itself last.
    templates: Vec<Found>,
    defines_itself: bool,
}

/// The value of a string constant.
enum Constant {
    /// As it stands in the source.
    Plain(Span),
    /// As the marks in it say.
    Unquoted(Vec<u8>),
}

/// A template found in a text.
struct Found {
    name: Box<str>,
    root: NodeId,
    is_empty: bool,
}

/// A parsed text, whatever its name: charts carry the same helper files many times over.
pub(super) struct Parsed {
    source: Str,
    tables: Rc<Tables>,
    strings: Rc<[Str]>,
    /// The templates, that of the text itself last.
    templates: Vec<Found>,
    /// Whether a definition in the text has the name of the text, which leaves one of the two.
    pub(super) defines_itself: bool,
}

impl Parsed {
    /// The draft of this source.
    pub(super) fn new(draft: Draft, source: &Str) -> Self {
        let strings = draft.strings.into_iter().map(|constant| match constant {
            Constant::Plain(span) => Str::from(span.of(source)),
            Constant::Unquoted(text) => Str::from(text),
        });
        Self {
            source: source.clone(),
            strings: strings.collect(),
            tables: Rc::new(draft.tables),
            templates: draft.templates,
            defines_itself: draft.defines_itself,
        }
    }

    /// Whether a template defined in the text has this name.
    pub(super) fn defines(&self, name: &str) -> bool {
        let defined = self
            .templates
            .split_last()
            .map_or(&[][..], |(_, defined)| defined);
        defined.iter().any(|template| &*template.name == name)
    }

    /// The templates, that of the text itself last and under the given name.
    pub(super) fn trees(&self, name: &Rc<str>) -> Vec<Rc<Tree>> {
        let unit = Rc::new(Unit {
            name: Rc::clone(name),
            source: self.source.clone(),
            tables: Rc::clone(&self.tables),
            strings: Rc::clone(&self.strings),
            line_starts: OnceCell::new(),
        });
        let last = self.templates.len().saturating_sub(1);
        let trees = self.templates.iter().enumerate().map(|(i, found)| {
            Rc::new(Tree {
                name: if i == last {
                    Rc::clone(name)
                } else {
                    Rc::from(&*found.name)
                },
                unit: Rc::clone(&unit),
                root: found.root,
                is_empty: found.is_empty,
            })
        });
        trees.collect()
    }
}

/// Parses a text under a name.
///
/// # Errors
/// Go's text with the line.
pub(super) fn parse(
    name: &str,
    source: &[u8],
    functions: &Functions,
) -> Result<Draft, SyntaxError> {
    let mut parser = Parser {
        file: name,
        source,
        functions,
        lexer: Lexer::new(source),
        draft: Draft::default(),
        pending: Vec::new(),
        symbols: vec![b"$"],
        state: State::new(),
        depth: 0,
    };
    if source.len() > MAX_SOURCE {
        return Err(parser.error(format!("template is larger than {MAX_SOURCE} bytes")));
    }
    parser.lexer.break_ok = !functions.contains_key("break");
    parser.lexer.continue_ok = !functions.contains_key("continue");
    parser.parse_text()?;
    parser.draft.tables.shrink();
    Ok(parser.draft)
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
    file: &'a str,
    source: &'a [u8],
    functions: &'a Functions,
    lexer: Lexer<'a>,
    draft: Draft,
    /// The items of rows that are not complete.
    pending: Vec<NodeId>,
    symbols: Vec<&'a [u8]>,
    state: State<'a>,
    /// The depth of nested blocks and parentheses in the whole text.
    depth: usize,
}

type Read<T> = Result<T, SyntaxError>;

impl<'a> Parser<'a> {
    /// The next item; those taken back come first.
    fn next(&mut self) -> Token<'a> {
        if self.state.peeked > 0 {
            self.state.peeked -= 1;
        } else {
            self.state.tokens[0] = self.lexer.next_token();
        }
        self.state.tokens[self.state.peeked]
    }

    /// Takes the last item back. Three can be taken back, as in Go.
    fn backup(&mut self) {
        self.state.peeked += 1;
    }

    /// The next item, not passed.
    fn peek(&mut self) -> Token<'a> {
        let token = self.next();
        self.backup();
        token
    }

    /// The next item that is no blank.
    fn next_non_space(&mut self) -> Token<'a> {
        loop {
            let token = self.next();
            if token.kind != TokenKind::Space {
                return token;
            }
        }
    }

    /// The next item that is no blank, not passed; the blanks are.
    fn peek_non_space(&mut self) -> Token<'a> {
        let token = self.next_non_space();
        self.backup();
        token
    }

    /// Passes an item of a kind; `context` says within what, should another one stand there.
    fn expect(&mut self, kind: TokenKind, context: &str) -> Read<Token<'a>> {
        let token = self.next_non_space();
        if token.kind == kind {
            Ok(token)
        } else {
            Err(self.unexpected(token, context))
        }
    }

    /// A fault at the item read last.
    fn error(&self, cause: impl Into<String>) -> SyntaxError {
        SyntaxError {
            line: self.state.tokens[0].line,
            cause: cause.into(),
        }
    }

    /// The fault for an item that cannot stand here, by its text.
    fn unexpected(&self, token: Token<'a>, context: &str) -> SyntaxError {
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

    /// Adds a node to the tree.
    fn add(&mut self, pos: usize, kind: NodeKind) -> NodeId {
        self.draft.tables.add(pos, kind)
    }

    /// Adds what is pending from a mark on as a row.
    fn complete(&mut self, mark: usize) -> Items {
        self.draft.tables.add_items(self.pending.drain(mark..))
    }

    fn kind(&self, id: NodeId) -> NodeKind {
        self.draft.tables.node(id).kind
    }

    /// Runs a nested part, on more stack if need be.
    fn nested<T>(&mut self, part: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        if self.depth >= MAX_NESTING {
            return Err(self.error("max expression depth exceeded"));
        }
        self.depth += 1;
        let result = deep(|| part(self));
        self.depth -= 1;
        result
    }
}

#[cfg(test)]
mod tests {
    use super::{Functions, Parsed, parse};
    use crate::template::ast::Callee;
    use crate::template::builtin::Builtin;

    fn parsed(text: &str) -> String {
        let print = Callee::Builtin(Builtin::Print);
        let functions = Functions::from([("print", print), ("len", Callee::Builtin(Builtin::Len))]);
        match parse("f", text.as_bytes(), &functions) {
            Ok(draft) => {
                let trees = Parsed::new(draft, &text.into()).trees(&"f".into());
                let shown = trees
                    .iter()
                    .map(|tree| format!("{}: {}", tree.name, tree.unit.text(tree.root)));
                shown.collect::<Vec<_>>().join("\n")
            }
            Err(error) => format!("template: f:{}: {}", error.line, error.cause),
        }
    }

    #[test]
    fn prints_nodes_as_go_does() {
        insta::assert_snapshot!(
            parsed("{{if  print  1 | len }}a{{else  if .x.y }}{{- else}}b{{end}}"),
            @"f: {{if print 1 | len}}a{{else}}{{if .x.y}}{{else}}b{{end}}{{end}}"
        );
        insta::assert_snapshot!(
            parsed("{{range $i,$v:=(print .).x}}{{break}}{{$v.a.b}}{{end}}{{template `t` .}}"),
            @r#"f: {{range $i, $v := (print .).x}}{{break}}{{$v.a.b}}{{end}}{{template "t" .}}"#
        );
    }

    #[test]
    fn collects_definitions_and_blocks() {
        insta::assert_snapshot!(
            parsed("{{define \"a\"}}1{{end}}{{block \"b\" .}}2{{end}}"),
            @r#"
        a: 1
        b: 2
        f: {{template "b" .}}
        "#
        );
        assert_eq!(parsed("{{define \"f\"}}own{{end}} "), "f: own");
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        for (text, cause) in [
            ("\n{{ nope }}", "f:2: function \"nope\" not defined"),
            ("{{ $x }}", "f:1: undefined variable \"$x\""),
            ("{{ print }", "f:1: unexpected \"}\" in operand"),
            ("{{ if }}{{ end }}", "f:1: missing value for if"),
            ("{{ if 1 }}", "f:1: unexpected EOF"),
            ("{{ end }}", "f:1: unexpected {{end}}"),
            ("{{ break }}", "f:1: {{break}} outside {{range}}"),
            (
                "{{ print | 1 }}",
                "f:1: non executable command in pipeline stage 2",
            ),
            (
                "{{ \"a\".b }}",
                "f:1: unexpected . after term \"\\\"a\\\"\"",
            ),
            ("{{ \"\\q\" }}", "f:1: invalid syntax"),
            ("{{ $a, $b := 1 }}", "f:1: too many declarations in command"),
            (
                "{{ range $a, 1 }}",
                "f:1: range can only initialize variables",
            ),
            ("{{ define 1 }}", "f:1: unexpected \"1\" in define clause"),
            (
                "{{ if 1 }}{{ else }}{{ else }}",
                "f:1: expected end; found {{else}}",
            ),
            ("{{ print\n\n1", "f:3: unclosed action started at f:1"),
            (
                "{{ print\n`a",
                "f:2: unterminated raw quoted string in action started at f:1",
            ),
            ("{{ 1 | else }}", "f:1: unexpected <else> in command"),
            ("{{ () }}", "f:1: missing value for parenthesized pipeline"),
        ] {
            assert_eq!(parsed(text), format!("template: {cause}"), "{text}");
        }
        let twice = "{{define \"a\"}}1{{end}}{{define \"a\"}}2{{end}}";
        assert_eq!(
            parsed(twice),
            "template: f:1: template: multiple definition of template \"a\""
        );
    }

    #[test]
    fn limits_nesting() {
        let deep = format!("{{{{ {}1{} }}}}", "(".repeat(20_000), ")".repeat(20_000));
        assert_eq!(
            parsed(&deep),
            "template: f:1: max expression depth exceeded"
        );
    }
}
