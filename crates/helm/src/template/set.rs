//! Sets of templates: parsing into them, and what `tpl` adds for the time of one call.
//!
//! Follows Go 1.26 `text/template/template.go` and helm v4 `pkg/engine/engine.go`.

use super::ast::{Callee, Tree};
use super::builtin::Builtin;
use super::error::Error;
use super::eval::Run;
use super::function::Function;
use super::origin::Origin;
use super::parse::{Draft, Functions, Parsed, SyntaxError, parse};
use super::world::World;
use crate::threads;
use crate::value::{Str, Value};
use memchr::memchr;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

/// The name of Helm's template set, which `tpl` gives to its texts.
const ROOT: &str = "gotpl";

/// How many parsed texts of `tpl` are kept, and how many bytes they may have in all.
const MAX_CACHED_TEXTS: usize = 4096;
const MAX_CACHED_BYTES: usize = 4 << 20;

/// Templates by name. A set within `tpl` sees those of the set around it.
#[derive(Clone, Default)]
pub(super) struct Set {
    outer: Option<Rc<Self>>,
    trees: HashMap<Rc<str>, Rc<Tree>>,
}

impl Set {
    /// The template of that name, the innermost first.
    pub(super) fn get(&self, name: &str) -> Option<&Rc<Tree>> {
        let mut set = self;
        loop {
            if let Some(tree) = set.trees.get(name) {
                return Some(tree);
            }
            set = set.outer.as_deref()?;
        }
    }

    /// Adds a template; an empty one does not replace another.
    fn add(&mut self, tree: &Rc<Tree>) {
        if !tree.is_empty || self.get(&tree.name).is_none() {
            self.trees.insert(Rc::clone(&tree.name), Rc::clone(tree));
        }
    }
}

/// Texts and their trees, and how many bytes the texts have.
#[derive(Default)]
struct Texts {
    trees: BTreeMap<Str, Rc<[Rc<Tree>]>>,
    bytes: usize,
}

impl Texts {
    /// Keeps the trees of a text; forgets all others when they are too many.
    fn keep(&mut self, text: &Str, trees: &Rc<[Rc<Tree>]>) {
        self.bytes += text.len();
        if self.trees.len() >= MAX_CACHED_TEXTS || self.bytes > MAX_CACHED_BYTES {
            self.trees.clear();
            self.bytes = text.len();
        }
        self.trees.insert(text.clone(), Rc::clone(trees));
    }
}

/// A set of templates and the functions they may call.
///
/// ```
/// use windlass_helm::template::Templates;
///
/// let mut templates = Templates::new(&[]);
/// templates.parse("greeting", "hello {{ . }}").unwrap();
/// assert_eq!(templates.names().collect::<Vec<_>>(), ["greeting"]);
/// assert!(templates.parse("broken", "{{ nope }}").is_err());
/// ```
///
/// Running one takes the data and a [`World`]:
///
/// ```
/// use windlass_helm::sprig;
/// use windlass_helm::template::{Templates, World};
/// use windlass_helm::value::Value;
///
/// let mut templates = Templates::new(sprig::tables());
/// templates.parse("t", r#"{{ . | upper | quote }}{{ "\n" }}"#)?;
/// let mut world = World::new("2026-01-01T00:00:00Z".parse()?, [0; 32]);
/// let output = templates.execute("t", &Value::from("text"), &mut world)?;
/// assert_eq!(output, b"\"TEXT\"\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Templates {
    pub(super) functions: Functions,
    pub(super) root: Rc<str>,
    pub(super) set: Rc<Set>,
    /// The texts parsed so far.
    parsed: BTreeMap<Str, Rc<Parsed>>,
    /// What `tpl` has parsed.
    texts: RefCell<Texts>,
}

impl Templates {
    /// An empty set whose templates may call the functions of the language and those of the tables;
    /// a later table wins over an earlier one.
    #[must_use]
    pub fn new(tables: &[&'static [Function]]) -> Self {
        let builtins = Builtin::ALL
            .iter()
            .map(|&builtin| (builtin.name(), Callee::Builtin(builtin)));
        let given = tables.iter().copied().flatten();
        let given = given.map(|function| (function.name, Callee::Function(function)));
        Self {
            functions: builtins.chain(given).collect(),
            root: ROOT.into(),
            set: Rc::default(),
            parsed: BTreeMap::new(),
            texts: RefCell::default(),
        }
    }

    /// Parses a text under a name and adds its templates: itself and those it defines. Templates of
    /// the same name are replaced, unless the new one is empty.
    ///
    /// ```
    /// use windlass_helm::template::Templates;
    ///
    /// let mut templates = Templates::new(&[]);
    /// templates.parse("a", r#"{{ define "b" }}x{{ end }}"#)?;
    /// assert_eq!(templates.names().collect::<Vec<_>>(), ["a", "b"]);
    /// let error = templates.parse("c", "{{ if }}").unwrap_err();
    /// assert_eq!(error.to_string(), "template: c:1: missing value for if");
    /// # Ok::<(), windlass_helm::template::Error>(())
    /// ```
    ///
    /// # Errors
    /// Why the text is not a template.
    pub fn parse(&mut self, name: &str, text: impl Into<Str>) -> Result<(), Error> {
        self.add(name, &text.into(), None)
    }

    /// Parses texts under their names, as [`Self::parse`] does one after the other.
    ///
    /// # Errors
    /// Why the first that is no template is none.
    pub(crate) fn parse_all(&mut self, texts: &[(&str, Str)]) -> Result<(), Error> {
        let mut seen = BTreeSet::new();
        let new = texts.iter().enumerate();
        let new = new.filter(|(_, (_, text))| seen.insert(&**text));
        let new: Vec<_> = new.map(|(at, (name, text))| (at, *name, &**text)).collect();
        let drafts = threads::map(
            &new,
            |(_, _, text)| text,
            |(_, name, text)| parse(name, text, &self.functions),
        );
        let mut drafts: BTreeMap<_, _> = new.iter().map(|(at, ..)| *at).zip(drafts).collect();
        let mut texts = texts.iter().enumerate();
        texts.try_for_each(|(at, (name, text))| self.add(name, text, drafts.remove(&at)))
    }

    /// Adds the templates of a text, of which there may be a draft.
    fn add(
        &mut self,
        name: &str,
        text: &Str,
        draft: Option<Result<Draft, SyntaxError>>,
    ) -> Result<(), Error> {
        let name = Rc::from(name);
        let known = self.parsed.get(text);
        let known = known.filter(|parsed| !parsed.defines(&name)).cloned();
        let parsed = match known {
            Some(parsed) => parsed,
            None => {
                let draft = draft.unwrap_or_else(|| parse(&name, text, &self.functions));
                let parsed = Rc::new(read(draft, &name, text)?);
                if !parsed.defines_itself {
                    self.parsed.insert(text.clone(), Rc::clone(&parsed));
                }
                parsed
            }
        };
        let set = Rc::make_mut(&mut self.set);
        parsed.trees(&name).iter().for_each(|tree| set.add(tree));
        Ok(())
    }

    /// The names of all templates, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let mut names: Vec<&str> = self.set.trees.keys().map(|name| &**name).collect();
        names.sort_unstable();
        names.into_iter()
    }

    /// Runs a template with its data and returns what it wrote, `<no value>` included, which Helm deletes
    /// from files.
    ///
    /// # Errors
    /// Why the template failed.
    pub fn execute(&self, name: &str, data: &Value, world: &mut World) -> Result<Vec<u8>, Error> {
        let Some(tree) = self.set.get(name) else {
            return Err(Error::no_template(name.as_bytes(), &self.root));
        };
        Run::new(self, world).execute(tree, data)
    }

    /// Runs a template as [`Self::execute`] does, and tells where each line of what it wrote came from.
    ///
    /// # Errors
    /// Why the template failed.
    pub(crate) fn execute_traced(
        &self,
        name: &str,
        data: &Value,
        world: &mut World,
    ) -> Result<(Vec<u8>, Origin), Error> {
        let Some(tree) = self.set.get(name) else {
            return Err(Error::no_template(name.as_bytes(), &self.root));
        };
        Run::new(self, world).execute_traced(tree, data)
    }

    /// The set that a text of `tpl` runs in, and its template; and how many bytes were parsed for it.
    ///
    /// # Errors
    /// Why the text is not a template.
    pub(super) fn for_text(
        &self,
        outer: &Rc<Set>,
        text: &Str,
    ) -> Result<(Rc<Set>, Rc<Tree>, usize), Error> {
        let cached = self.texts.borrow().trees.get(text).cloned();
        let parsed = if cached.is_some() { 0 } else { text.len() };
        let trees = match cached {
            Some(trees) => trees,
            None => {
                let draft = parse(&self.root, text, &self.functions);
                let trees = read(draft, &self.root, text)?.trees(&self.root);
                let trees: Rc<[Rc<Tree>]> = trees.into();
                self.texts.borrow_mut().keep(text, &trees);
                trees
            }
        };
        let mut set = Set {
            outer: Some(Rc::clone(outer)),
            trees: HashMap::new(),
        };
        trees.iter().for_each(|tree| set.add(tree));
        // The text itself runs even where an older template keeps its name.
        let main = trees.iter().find(|tree| tree.name == self.root);
        let main = main
            .or(trees.last())
            .cloned()
            .ok_or_else(|| Error::no_template(self.root.as_bytes(), &self.root))?;
        Ok((Rc::new(set), main, parsed))
    }
}

/// What was parsed, or why it is no template.
fn read(draft: Result<Draft, SyntaxError>, name: &Rc<str>, text: &Str) -> Result<Parsed, Error> {
    match draft {
        Ok(draft) => Ok(Parsed::new(draft, text)),
        Err(SyntaxError { line, cause }) => Err(Error::parse(name, line, text, cause)),
    }
}

/// The output without any literal `<no value>`, which Helm deletes from files and from `tpl`.
#[must_use]
pub(crate) fn without_no_value(output: Vec<u8>) -> Vec<u8> {
    const NO_VALUE: &[u8] = b"<no value>";
    let next = |text: &[u8]| {
        let mut from = 0;
        while let Some(at) = memchr(b'<', &text[from..]) {
            if text[from + at..].starts_with(NO_VALUE) {
                return Some(from + at);
            }
            from += at + 1;
        }
        None
    };
    let Some(first) = next(&output) else {
        return output;
    };
    let mut kept = output[..first].to_vec();
    let mut rest = &output[first + NO_VALUE.len()..];
    while let Some(at) = next(rest) {
        kept.extend_from_slice(&rest[..at]);
        rest = &rest[at + NO_VALUE.len()..];
    }
    kept.extend_from_slice(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::{Templates, without_no_value};
    use std::rc::Rc;

    #[test]
    fn keeps_a_template_that_an_empty_one_would_replace() {
        let mut templates = Templates::new(&[]);
        templates
            .parse("a", "{{ define \"x\" }}1{{ end }}")
            .unwrap();
        templates
            .parse("b", "{{ define \"x\" }} {{ end }}b")
            .unwrap();
        assert_eq!(templates.names().collect::<Vec<_>>(), ["a", "b", "x"]);
        assert!(!templates.set.get("x").unwrap().is_empty);
    }

    #[test]
    fn shares_the_trees_of_equal_texts() {
        let text = "{{ define \"x\" }}1{{ end }}";
        let mut templates = Templates::new(&[]);
        templates.parse("a", text).unwrap();
        templates.parse("b", text).unwrap();
        templates.parse("x", text).unwrap();
        assert_eq!(templates.names().collect::<Vec<_>>(), ["a", "b", "x"]);
        let unit = |name| &templates.set.get(name).unwrap().unit;
        assert!(Rc::ptr_eq(&unit("a").tables, &unit("b").tables));
        assert_eq!((&*unit("a").name, &*unit("b").name), ("a", "b"));
        assert!(!templates.set.get("x").unwrap().is_empty);
    }

    #[test]
    fn deletes_every_no_value() {
        let strip = |text: &str| String::from_utf8(without_no_value(text.into())).unwrap();
        assert_eq!(strip("a<no value>b<<no value><no value"), "ab<<no value");
        assert_eq!(strip("<no <no value>value>"), "<no value>");
        assert_eq!(strip("plain"), "plain");
    }
}
