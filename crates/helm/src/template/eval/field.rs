//! Fields, map keys and methods: what follows a dot.

use super::call::Callable;
use super::{Evaluated, Run, Slot};
use crate::template::ast::{NodeId, NodeKind, Tree};
use crate::value::{Kind, Map, MapKind, Object, Str, Value};
use std::borrow::Cow;
use std::rc::Rc;

/// The nodes of a command, of which the first is the word itself, and the value before the pipe.
pub(super) type Args<'n> = (&'n [NodeId], Option<Slot>);

impl Run<'_> {
    /// `(pipeline).Field.Field`: the static type ends at the parenthesis.
    pub(super) fn chain(
        &mut self,
        tree: &Tree,
        dot: &Slot,
        id: NodeId,
        base: NodeId,
        path: &[u8],
        args: Args<'_>,
    ) -> Evaluated<Slot> {
        self.node = id;
        let receiver = match &tree.unit.node(base).kind {
            NodeKind::Identifier(callee) => {
                self.node = base;
                self.call(tree, dot, tree.unit.callee(*callee), base, &[], None)?
            }
            NodeKind::Pipe(_) => {
                self.node = base;
                self.nested(tree, |run| run.pipeline(tree, dot, base))?
            }
            NodeKind::Nil => {
                let text = tree.unit.text(id);
                let cause = format!("indirection through explicit nil in {text}");
                return Err(self.error(tree, cause));
            }
            _ => return Err(self.error(tree, "unexpected base of a chain")),
        };
        self.path(tree, dot, receiver, id, path, args)
    }

    /// `.A.B.C`, perhaps with a variable before: the last may be a method and gets the arguments.
    pub(super) fn path(
        &mut self,
        tree: &Tree,
        dot: &Slot,
        mut receiver: Slot,
        id: NodeId,
        path: &[u8],
        (args, last): Args<'_>,
    ) -> Evaluated<Slot> {
        let Some(last_dot) = path.iter().rposition(|&byte| byte == b'.') else {
            return Ok(receiver);
        };
        let (before, final_name) = (&path[..last_dot], &path[last_dot + 1..]);
        for name in before.split(|&byte| byte == b'.').skip(1) {
            receiver = self.field(tree, dot, name, id, (&[], None), receiver)?;
        }
        self.field(tree, dot, final_name, id, (args, last), receiver)
    }

    fn field(
        &mut self,
        tree: &Tree,
        dot: &Slot,
        name: &[u8],
        id: NodeId,
        (args, last): Args<'_>,
        receiver: Slot,
    ) -> Evaluated<Slot> {
        let is_call = args.len() > 1 || last.is_some();
        match &receiver.value {
            Value::Nil if receiver.is_interface => Err(self.error(
                tree,
                format!("nil pointer evaluating interface {{}}.{}", text(name)),
            )),
            Value::Nil => Ok(receiver),
            Value::Map(map) => {
                if let Some(object) = map.methods() {
                    let object = Rc::clone(object);
                    if let Some(method) = object.method(name) {
                        let args = args.get(1..).unwrap_or_default();
                        let callable = Callable::method(&object, method);
                        return self.call_method(tree, dot, &callable, id, args, last);
                    }
                }
                if is_call {
                    return Err(self.error(
                        tree,
                        format!("{} is not a method but has arguments", text(name)),
                    ));
                }
                Ok(entry(map, name))
            }
            Value::Object(object) => {
                let object = Rc::clone(object);
                self.member(tree, dot, name, id, (args, last), (&receiver, &object))
            }
            _ => Err(self.no_field(tree, name, &receiver)),
        }
    }

    /// A method, field or, for a named map type, key of an object.
    fn member(
        &mut self,
        tree: &Tree,
        dot: &Slot,
        name: &[u8],
        id: NodeId,
        (args, last): Args<'_>,
        (receiver, object): (&Slot, &Rc<dyn Object>),
    ) -> Evaluated<Slot> {
        if let Some(method) = object.method(name) {
            let args = args.get(1..).unwrap_or_default();
            return self.call_method(tree, dot, &Callable::method(object, method), id, args, last);
        }
        let is_call = args.len() > 1 || last.is_some();
        if let Some(field) = object.field(name) {
            if !name.first().is_some_and(u8::is_ascii_uppercase) {
                let (name, of) = (text(name), receiver.type_name());
                let cause = format!("{name} is an unexported field of struct type {of}");
                return Err(self.error(tree, cause));
            }
            if is_call {
                let name = text(name);
                let cause = format!("{name} has arguments but cannot be invoked as function");
                return Err(self.error(tree, cause));
            }
            let is_addressable = receiver.is_addressable || object.kind() == Kind::Ptr;
            return Ok(Slot {
                is_addressable,
                ..Slot::returned(field)
            });
        }
        match object.underlying() {
            Some(Value::Map(map)) if !is_call => Ok(entry(&map, name)),
            _ => Err(self.no_field(tree, name, receiver)),
        }
    }

    fn no_field(&self, tree: &Tree, name: &[u8], receiver: &Slot) -> crate::template::Error {
        let (name, type_name) = (text(name), receiver.type_name());
        self.error(
            tree,
            format!("can't evaluate field {name} in type {type_name}"),
        )
    }
}

fn text(name: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(name)
}

/// The value of a key, or the zero value of the map's element type.
pub(in crate::template) fn entry(map: &Map, key: &[u8]) -> Slot {
    match (map.get(key), map.kind()) {
        (Some(value), MapKind::Str | MapKind::Files) => Slot::plain(value),
        (None, MapKind::Str) => Slot::plain(Value::str("")),
        (None, MapKind::Files) => Slot::plain(Value::Bytes(Str::from(""))),
        (value, _) => Slot::interface(value.unwrap_or(Value::Nil)),
    }
}
