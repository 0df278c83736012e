//! Maps: references, as in Go, so that `set` and `merge` are seen by everyone who holds the map.

use super::entries::Entries;
use super::{Object, Str, Value, drop_flat};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

/// The Go type of a map, which `typeOf`, `dig` and error texts show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapKind {
    /// `map[string]interface {}`.
    Any,
    /// `common.Values` (Helm 4): `.Values` itself.
    Values,
    /// `chartutil.Values` (Helm 3): `.Values` itself.
    Values3,
    /// `map[string]string`, as `split` gives it.
    Str,
    /// `engine.files`: `.Files`, a map of names to `[]byte` with methods.
    Files,
}

impl MapKind {
    /// The type as `%T` prints it.
    #[must_use]
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Any => "map[string]interface {}",
            Self::Values => "common.Values",
            Self::Values3 => "chartutil.Values",
            Self::Str => "map[string]string",
            Self::Files => "engine.files",
        }
    }
}

struct Cell {
    kind: MapKind,
    /// Shared by all views of the map: `.Values.sub` of a chart and `.Values` of its subchart.
    entries: Rc<RefCell<Entries>>,
    methods: Option<Rc<dyn Object>>,
}

impl Drop for Cell {
    /// As for lists: nested values go one after the other.
    fn drop(&mut self) {
        drop_flat(self.take_last());
    }
}

impl Cell {
    /// The values, if nothing else holds them.
    fn take_last(&mut self) -> Vec<Value> {
        let Some(entries) = Rc::get_mut(&mut self.entries).map(RefCell::get_mut) else {
            return Vec::new();
        };
        if !entries.iter().any(|(_, value)| value.is_nested()) {
            return Vec::new();
        }
        std::mem::take(entries).into_values().collect()
    }
}

/// A Go map with string keys. Clones share the entries.
///
/// The nil map reads as empty; [`Map::insert`] on it says so, as Go panics.
///
/// Templates change maps in place (`set`, `unset`, `merge`), and all who hold the map see the change. That is why
/// [`Map::insert`] takes `&self`:
///
/// ```
/// use windlass_helm::value::{Map, MapKind, Value};
///
/// let values = Map::new(MapKind::Any);
/// let same = values.clone();
/// values.insert("replicas", Value::int(3));
/// assert!(same.contains("replicas") && same.same(&values));
///
/// let copy = values.shallow_copy();
/// values.remove("replicas");
/// assert_eq!((values.len(), copy.len()), (0, 1));
/// assert!(!Map::nil(MapKind::Any).insert("a", Value::Nil));
/// ```
#[derive(Clone)]
pub struct Map(Result<Rc<Cell>, MapKind>);

impl Map {
    /// An empty map.
    #[must_use]
    pub fn new(kind: MapKind) -> Self {
        Self::from_entries(kind, BTreeMap::new())
    }

    /// A map of these entries.
    #[must_use]
    pub fn from_entries(kind: MapKind, entries: BTreeMap<Str, Value>) -> Self {
        Self(Ok(Rc::new(Cell {
            kind,
            entries: Rc::new(RefCell::new(entries.into())),
            methods: None,
        })))
    }

    /// A map whose type has methods, such as `.Files.Get` or `.Values.AsMap`.
    ///
    /// The entries are what `range` and `index` see; a name that is no key is looked for among the methods.
    #[must_use]
    pub fn with_methods(
        kind: MapKind,
        entries: BTreeMap<Str, Value>,
        methods: Rc<dyn Object>,
    ) -> Self {
        Self(Ok(Rc::new(Cell {
            kind,
            entries: Rc::new(RefCell::new(entries.into())),
            methods: Some(methods),
        })))
    }

    /// The same map under another Go type, perhaps with methods: a change through one is seen
    /// through the other.
    #[must_use]
    pub fn view(&self, kind: MapKind, methods: Option<Rc<dyn Object>>) -> Self {
        match &self.0 {
            Ok(cell) => Self(Ok(Rc::new(Cell {
                kind,
                entries: Rc::clone(&cell.entries),
                methods,
            }))),
            Err(_) => Self(Err(kind)),
        }
    }

    /// The nil map of a type.
    #[must_use]
    pub fn nil(kind: MapKind) -> Self {
        Self(Err(kind))
    }

    /// Whether this is the nil map.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        self.0.is_err()
    }

    /// The Go type.
    #[must_use]
    pub fn kind(&self) -> MapKind {
        match &self.0 {
            Ok(cell) => cell.kind,
            Err(kind) => *kind,
        }
    }

    /// The methods of the map's type, if it has any.
    #[must_use]
    pub fn methods(&self) -> Option<&Rc<dyn Object>> {
        self.0.as_ref().ok().and_then(|cell| cell.methods.as_ref())
    }

    /// The value of a key.
    ///
    /// `None` means that the key is missing, `Some(Value::Nil)` that it is there and null: `hasKey` tells
    /// the two apart, `.Values.key` does not.
    #[must_use]
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<Value> {
        self.0
            .as_ref()
            .ok()?
            .entries
            .borrow()
            .get(key.as_ref())
            .cloned()
    }

    /// The value of the last key, in order, that passes a test.
    pub(crate) fn rfind(&self, test: impl Fn(&[u8]) -> bool) -> Option<Value> {
        let entries = self.0.as_ref().ok()?.entries.borrow();
        let found = entries.iter().rev().find(|(key, _)| test(key.as_bytes()))?;
        Some(found.1.clone())
    }

    /// Whether the key is there, also with a nil value.
    #[must_use]
    pub fn contains(&self, key: impl AsRef<[u8]>) -> bool {
        self.0
            .as_ref()
            .is_ok_and(|cell| cell.entries.borrow().get(key.as_ref()).is_some())
    }

    /// Sets a key for everyone who holds the map. `false` on the nil map, where Go panics.
    pub fn insert(&self, key: impl Into<Str>, value: Value) -> bool {
        let Ok(cell) = &self.0 else { return false };
        cell.entries.borrow_mut().insert(key.into(), value);
        true
    }

    /// Removes a key for everyone who holds the map.
    pub fn remove(&self, key: impl AsRef<[u8]>) -> Option<Value> {
        self.0
            .as_ref()
            .ok()?
            .entries
            .borrow_mut()
            .remove(key.as_ref())
    }

    /// The values, if nothing else holds the map.
    pub(super) fn into_last(self) -> Vec<Value> {
        let cell = self.0.ok().and_then(Rc::into_inner);
        cell.map(|mut cell| cell.take_last()).unwrap_or_default()
    }

    /// The memory that this map alone holds.
    pub(super) fn own_size(&self) -> usize {
        match &self.0 {
            Ok(cell) if Rc::strong_count(cell) == 1 && Rc::strong_count(&cell.entries) == 1 => {
                let entries = cell.entries.borrow();
                let keys: usize = entries.iter().map(|(key, _)| key.own_size()).sum();
                let places = entries.len() * size_of::<(Str, Value)>();
                super::HEAD
                    + places
                    + keys
                    + super::own_size(entries.iter().map(|(_, value)| value))
            }
            _ => 0,
        }
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0
            .as_ref()
            .map_or(0, |cell| cell.entries.borrow().len())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys, sorted by bytes.
    #[must_use]
    pub fn keys(&self) -> Vec<Str> {
        self.0.as_ref().map_or_else(
            |_| Vec::new(),
            |c| {
                c.entries
                    .borrow()
                    .iter()
                    .map(|(key, _)| key.clone())
                    .collect()
            },
        )
    }

    /// A snapshot of the entries, sorted by key: what `range` walks over.
    ///
    /// Changes after the call are not in it: a template that sets keys while it ranges over the map sees the
    /// old ones. Go walks over strings in the order of their bytes too.
    #[must_use]
    pub fn entries(&self) -> Vec<(Str, Value)> {
        self.0.as_ref().map_or_else(
            |_| Vec::new(),
            |cell| {
                cell.entries
                    .borrow()
                    .iter()
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect()
            },
        )
    }

    /// A map of the same kind with its own table, sharing the values: Go's `maps.Clone`.
    #[must_use]
    pub fn shallow_copy(&self) -> Self {
        match &self.0 {
            Ok(cell) => Self(Ok(Rc::new(Cell {
                kind: cell.kind,
                entries: Rc::new(RefCell::new(cell.entries.borrow().clone())),
                methods: cell.methods.clone(),
            }))),
            Err(kind) => Self(Err(*kind)),
        }
    }

    /// The place of the entries in memory, the same for all views of a map; 0 for the nil map.
    pub(crate) fn address(&self) -> usize {
        let place = |cell: &Rc<Cell>| Rc::as_ptr(&cell.entries).addr();
        self.0.as_ref().map_or(0, place)
    }

    /// Whether both are the same map, not only equal ones.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Ok(a), Ok(b)) => Rc::ptr_eq(&a.entries, &b.entries),
            (Err(_), Err(_)) => true,
            _ => false,
        }
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.entries()).finish()
    }
}
