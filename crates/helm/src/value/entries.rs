//! The table of a map: keys in the order of their bytes.
//!
//! Nearly all maps of a chart have a few entries. These stand in one row, without the empty places that
//! a tree keeps: a `BTreeMap` takes half a KiB for its first entry. Larger tables are trees, where an
//! insertion does not move all that follow.

use super::{Str, Value};
use std::collections::BTreeMap;

/// How many entries stand in a row.
const MAX_ROW: usize = 24;

/// How many places a row gets when it is full. A vector would double them.
fn more(len: usize) -> usize {
    if len < 4 { 2 } else { 4 }
}

/// The entries: in one of the two, the other is empty.
#[derive(Clone, Default)]
pub(super) struct Entries {
    row: Vec<(Str, Value)>,
    tree: BTreeMap<Str, Value>,
}

impl Entries {
    /// Where the key stands in the row, or where it would.
    fn place(&self, key: &[u8]) -> Result<usize, usize> {
        self.row.binary_search_by(|(k, _)| k.as_bytes().cmp(key))
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &[u8]) -> Option<&Value> {
        match self.place(key) {
            Ok(at) => Some(&self.row[at].1),
            Err(_) => self.tree.get(key),
        }
    }

    /// Sets a key, whether it was there or not.
    pub(super) fn insert(&mut self, key: Str, value: Value) {
        match self.place(key.as_bytes()) {
            Ok(at) => self.row[at].1 = value,
            Err(_) if !self.tree.is_empty() => drop(self.tree.insert(key, value)),
            Err(at) if self.row.len() < MAX_ROW => {
                if self.row.len() == self.row.capacity() {
                    self.row.reserve_exact(more(self.row.len()));
                }
                self.row.insert(at, (key, value));
            }
            Err(_) => {
                self.tree = std::mem::take(&mut self.row).into_iter().collect();
                self.tree.insert(key, value);
            }
        }
    }

    /// Takes a key out and gives the value that it had.
    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Value> {
        match self.place(key) {
            Ok(at) => Some(self.row.remove(at).1),
            Err(_) => self.tree.remove(key),
        }
    }

    /// The number of entries.
    pub(super) fn len(&self) -> usize {
        self.row.len() + self.tree.len()
    }

    /// The entries, sorted by the bytes of their keys.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&Str, &Value)> {
        let row = self.row.iter().map(|(key, value)| (key, value));
        row.chain(&self.tree)
    }

    /// The values in the order of their keys.
    pub(super) fn into_values(self) -> impl Iterator<Item = Value> {
        let row = self.row.into_iter().map(|(_, value)| value);
        row.chain(self.tree.into_values())
    }
}

impl From<BTreeMap<Str, Value>> for Entries {
    fn from(tree: BTreeMap<Str, Value>) -> Self {
        if tree.len() > MAX_ROW {
            let row = Vec::new();
            return Self { row, tree };
        }
        Self {
            row: tree.into_iter().collect(),
            tree: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Entries, MAX_ROW};
    use crate::value::{Str, Value};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn texts(entries: &Entries) -> Vec<(Vec<u8>, String)> {
        let text = |(key, value): (&Str, &Value)| (key.as_bytes().to_vec(), format!("{value:?}"));
        entries.iter().map(text).collect()
    }

    proptest! {
        #[test]
        fn behaves_as_a_tree(steps in prop::collection::vec((0_u8..40, any::<bool>(), 0_i64..9), 0..200)) {
            let (mut entries, mut tree) = (Entries::default(), BTreeMap::new());
            for (key, inserts, value) in steps {
                let key = Str::from(vec![key]);
                if inserts {
                    entries.insert(key.clone(), Value::int64(value));
                    tree.insert(key, Value::int64(value));
                } else {
                    let removed = entries.remove(key.as_bytes()).map(|value| format!("{value:?}"));
                    prop_assert_eq!(removed, tree.remove(key.as_bytes()).map(|value| format!("{value:?}")));
                }
                prop_assert_eq!(entries.len(), tree.len());
                prop_assert!(entries.row.len() <= MAX_ROW);
            }
            prop_assert_eq!(texts(&entries), texts(&Entries::from(tree)));
        }
    }

    #[test]
    fn has_every_key_when_it_outgrows_the_row() {
        let mut entries = Entries::default();
        for key in (0..100_u8).rev() {
            entries.insert(vec![key].into(), Value::int64(key.into()));
        }
        assert!(entries.row.is_empty());
        let keys: Vec<_> = entries.iter().map(|(key, _)| key.as_bytes()[0]).collect();
        assert_eq!(keys, (0..100).collect::<Vec<_>>());
        assert!((0..100).all(|key| entries.get(&[key]).is_some()) && entries.get(&[100]).is_none());
        assert_eq!(entries.into_values().count(), 100);
    }
}
