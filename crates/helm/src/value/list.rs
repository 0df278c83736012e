//! Slices: immutable once made (no template function changes an element), nil told from empty.

use super::{Value, drop_flat};
use std::rc::Rc;

/// The element type of a slice, which `typeOf`, `deepEqual` and error texts show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elem {
    /// `[]interface {}`.
    Any,
    /// `[]string`.
    Str,
    /// `[]int`.
    Int,
    /// `[]map[string]interface {}`.
    Map,
    /// `[][]interface {}`, as `chunk` gives it.
    List,
    /// Structs or pointers to them; the name of the slice type.
    Object(&'static str),
}

impl Elem {
    /// The name of the slice type.
    #[must_use]
    pub fn slice_type(self) -> &'static str {
        match self {
            Self::Any => "[]interface {}",
            Self::Str => "[]string",
            Self::Int => "[]int",
            Self::Map => "[]map[string]interface {}",
            Self::List => "[][]interface {}",
            Self::Object(slice_type) => slice_type,
        }
    }
}

/// A Go slice.
///
/// A clone shares the items. The nil slice and the empty one look the same to `range` and `len`, and differ
/// in JSON:
///
/// ```
/// use windlass_helm::json::to_json;
/// use windlass_helm::value::{Elem, List, Value};
///
/// let mut list = List::nil(Elem::Any);
/// assert_eq!(to_json(&Value::List(list.clone()))?.to_text(), "null");
/// list.make_mut().push(Value::int(1));
/// assert_eq!((list.len(), list.elem().slice_type()), (1, "[]interface {}"));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug)]
pub struct List {
    items: Option<Rc<Vec<Value>>>,
    elem: Elem,
}

impl Drop for List {
    /// Drops nested values one after the other: templates can nest them deeper than the stack.
    fn drop(&mut self) {
        if let Some(items) = self.take_last() {
            drop_flat(items);
        }
    }
}

impl List {
    /// The items, if nothing else holds them.
    pub(super) fn take_last(&mut self) -> Option<Vec<Value>> {
        self.items.take().and_then(Rc::into_inner)
    }

    /// A slice of these items.
    #[must_use]
    pub fn new(items: Vec<Value>, elem: Elem) -> Self {
        Self {
            items: Some(Rc::new(items)),
            elem,
        }
    }

    /// The nil slice: prints as `[]`, but is `null` in JSON.
    #[must_use]
    pub fn nil(elem: Elem) -> Self {
        Self { items: None, elem }
    }

    /// Whether this is the nil slice.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        self.items.is_none()
    }

    /// The element type.
    #[must_use]
    pub fn elem(&self) -> Elem {
        self.elem
    }

    /// The items.
    #[must_use]
    pub fn items(&self) -> &[Value] {
        self.items.as_deref().map_or(&[], Vec::as_slice)
    }

    /// The items for building; copies them first when they are shared.
    pub fn make_mut(&mut self) -> &mut Vec<Value> {
        Rc::make_mut(self.items.get_or_insert_default())
    }

    /// The memory that this list alone holds.
    pub(super) fn own_size(&self) -> usize {
        match &self.items {
            Some(items) if Rc::strong_count(items) == 1 => {
                super::HEAD + size_of_val(items.as_slice()) + super::own_size(items.iter())
            }
            _ => 0,
        }
    }

    /// The number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items().is_empty()
    }
}
