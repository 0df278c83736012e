//! The glob of `.Files.Glob`: `*` within a path element, `**` across, `?`, `[a-z]`, `[!a]`, `{a,b}`.
//!
//! Follows github.com/gobwas/glob v0.2.3 (`syntax/lexer`, `syntax/ast`) with `/` as separator. What
//! that package does to match fast is left out.

use crate::limits::{MAX_BRACES, MAX_GLOB_STEPS};

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) struct Glob(Vec<Node>);

#[derive(Clone, Debug)]
enum Node {
    Char(char),
    /// `?`: one character that is no separator.
    Single,
    /// `*`: any characters but separators.
    Any,
    /// `**`: any characters.
    Super,
    /// `[abc]`, `[!abc]`.
    List(Vec<char>, bool),
    /// `[a-z]`, `[!a-z]`.
    Range(char, char, bool),
    /// `{…,…}`.
    AnyOf(Vec<Vec<Self>>),
}

impl Glob {
    /// Compiles a pattern; `None` when it is malformed.
    #[must_use]
    pub(super) fn new(pattern: &str) -> Option<Self> {
        let mut parser = Parser {
            chars: pattern.chars().collect(),
            at: 0,
        };
        let (nodes, _) = parser.sequence(0)?;
        Some(Self(nodes))
    }

    /// Whether the whole path matches.
    #[must_use]
    pub(super) fn matches(&self, path: &str) -> bool {
        let text: Vec<char> = path.chars().collect();
        let mut steps = 0;
        match_here(
            &Frame {
                nodes: &self.0,
                next: None,
            },
            &text,
            &mut steps,
        )
    }
}

/// The rest of a sequence and what follows it outside of its braces.
struct Frame<'a> {
    nodes: &'a [Node],
    next: Option<&'a Self>,
}

fn match_here(frame: &Frame<'_>, mut text: &[char], steps: &mut usize) -> bool {
    let mut nodes = frame.nodes;
    while let Some((node, rest)) = nodes.split_first() {
        *steps += 1;
        if *steps > MAX_GLOB_STEPS {
            return false;
        }
        let first = text.first().copied();
        let ok = match node {
            Node::Char(c) => first == Some(*c),
            Node::Single => first.is_some_and(|c| c != '/'),
            Node::List(list, not) => first.is_some_and(|c| list.contains(&c) != *not),
            Node::Range(low, high, not) => first.is_some_and(|c| (*low <= c && c <= *high) != *not),
            Node::Any | Node::Super => {
                return match_run(
                    &Frame {
                        nodes: rest,
                        next: frame.next,
                    },
                    node,
                    text,
                    steps,
                );
            }
            Node::AnyOf(choices) => {
                let after = Frame {
                    nodes: rest,
                    next: frame.next,
                };
                return choices.iter().any(|choice| {
                    match_here(
                        &Frame {
                            nodes: choice,
                            next: Some(&after),
                        },
                        text,
                        steps,
                    )
                });
            }
        };
        if !ok {
            return false;
        }
        text = &text[1..];
        nodes = rest;
    }
    match frame.next {
        Some(next) => match_here(next, text, steps),
        None => text.is_empty(),
    }
}

/// Tries what follows a star at every place the star can reach.
fn match_run(after: &Frame<'_>, star: &Node, text: &[char], steps: &mut usize) -> bool {
    let crosses = matches!(star, Node::Super);
    for at in 0..=text.len() {
        if match_here(after, &text[at..], steps) {
            return true;
        }
        if *steps > MAX_GLOB_STEPS || (!crosses && text.get(at) == Some(&'/')) {
            return false;
        }
    }
    false
}

struct Parser {
    chars: Vec<char>,
    at: usize,
}

impl Parser {
    fn next(&mut self) -> Option<char> {
        let c = self.chars.get(self.at).copied()?;
        self.at += 1;
        Some(c)
    }

    /// Reads up to the end or, inside of braces, to `,` or `}`, which it returns.
    fn sequence(&mut self, depth: usize) -> Option<(Vec<Node>, Option<char>)> {
        if depth > MAX_BRACES {
            return None;
        }
        let mut nodes = Vec::new();
        while let Some(c) = self.next() {
            let node = match c {
                '{' => self.any_of(depth + 1)?,
                ',' | '}' if depth > 0 => return Some((nodes, Some(c))),
                '[' => self.class()?,
                '?' => Node::Single,
                '*' if self.chars.get(self.at) == Some(&'*') => {
                    self.at += 1;
                    Node::Super
                }
                '*' => Node::Any,
                '\\' => match self.next() {
                    Some(escaped) => Node::Char(escaped),
                    None => break,
                },
                _ => Node::Char(c),
            };
            nodes.push(node);
        }
        Some((nodes, None))
    }

    /// `{a,b}`; braces that never close end with the pattern.
    fn any_of(&mut self, depth: usize) -> Option<Node> {
        let mut choices = Vec::new();
        loop {
            let (nodes, end) = self.sequence(depth)?;
            choices.push(nodes);
            if end != Some(',') {
                return Some(Node::AnyOf(choices));
            }
        }
    }

    fn class(&mut self) -> Option<Node> {
        let mut c = self.next()?;
        let not = c == '!';
        if not {
            c = self.next()?;
        }
        if self.chars.get(self.at) == Some(&'-') {
            self.at += 1;
            let high = self.next()?;
            return (self.next()? == ']' && c <= high).then_some(Node::Range(c, high, not));
        }
        let mut list = Vec::new();
        loop {
            match c {
                ']' if list.is_empty() => return None,
                ']' => return Some(Node::List(list, not)),
                '\\' => list.push(self.next()?),
                _ => list.push(c),
            }
            c = self.next()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn keeps_single_stars_within_a_path_element() {
        for (pattern, path, expected) in [
            ("conf/*", "conf/a.txt", true),
            ("conf/*", "conf/sub/a.txt", false),
            ("conf/**", "conf/sub/a.txt", true),
            ("**.yaml", "a/b/c.yaml", true),
            ("*.yaml", "a/b.yaml", false),
            ("{a,b}/?.txt", "b/1.txt", true),
            ("{a,b*}/?.txt", "bcd/12.txt", false),
            ("[a-c].txt", "b.txt", true),
            ("[!a-c].txt", "b.txt", false),
            ("[xyz].txt", "y.txt", true),
            ("[!xyz].txt", "a.txt", true),
            (r"a\*b", "a*b", true),
            ("a,b", "a,b", true),
            ("", "", true),
        ] {
            let glob = Glob::new(pattern).unwrap();
            assert_eq!(glob.matches(path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn refuses_malformed_classes() {
        for pattern in ["[", "[]", "[a", "[z-a]", "[a-zx]", "[a-"] {
            assert!(Glob::new(pattern).is_none(), "{pattern}");
        }
    }

    #[test]
    fn refuses_braces_that_nest_too_deep() {
        let braces = |depth| "{".repeat(depth) + &"}".repeat(depth);
        assert!(Glob::new(&braces(100)).is_some());
        assert!(Glob::new(&braces(101)).is_none());
    }

    #[test]
    fn gives_up_on_patterns_that_take_for_ever() {
        let glob = Glob::new(&"**a".repeat(30)).unwrap();
        assert!(!glob.matches(&"a".repeat(200)[..].replace("aaaaa", "aaaab")));
    }
}
