//! Calls: the number and types of arguments, their conversion, and the call itself.

use super::{Evaluated, Run, Slot, is_true};
use crate::limits::BYTES_PER_STEP;
use crate::template::ast::{Callee, NodeId, NodeKind, Tree};
use crate::template::builtin::Builtin;
use crate::template::function::{Fault, Param, Runtime};
use crate::value::{Elem, IntKind, Kind, List, Map, MapKind, Method, Object, Str, UintKind, Value};
use std::rc::Rc;

/// A function or method with its signature.
pub(super) struct Callable<'c> {
    name: &'c str,
    params: &'c [Param],
    variadic: bool,
    /// The receiver of a method and the types of its parameters.
    method: Option<Receiver<'c>>,
}

type Receiver<'c> = (&'c Rc<dyn Object>, Box<[Param]>);

impl<'c> Callable<'c> {
    /// A method of a value that is none of the language's own.
    pub(super) fn method(object: &'c Rc<dyn Object>, method: Method) -> Self {
        let params = method
            .params
            .iter()
            .map(|&name| Param::named(name))
            .collect();
        Self {
            name: method.name,
            params: &[],
            variadic: method.variadic,
            method: Some((object, params)),
        }
    }

    /// The types of its parameters; of a variadic one the last repeats.
    fn params(&self) -> &[Param] {
        self.method
            .as_ref()
            .map_or(self.params, |(_, params)| params)
    }

    /// The type of the argument at an index.
    fn param(&self, index: usize) -> Param {
        let params = self.params();
        params
            .get(index)
            .or(params.last())
            .copied()
            .unwrap_or(Param::Any)
    }
}

impl Run<'_> {
    /// Calls what an identifier names. `node` is the command, or the identifier where it is an
    /// argument itself; the error of the function stands there.
    pub(super) fn call(
        &mut self,
        tree: &Tree,
        dot: &Slot,
        callee: Callee,
        node: NodeId,
        args: &[NodeId],
        last: Option<Slot>,
    ) -> Evaluated<Slot> {
        self.step(tree)?;
        match callee {
            Callee::Function(function) => {
                let callable = Callable {
                    name: function.name,
                    params: function.params,
                    variadic: function.variadic,
                    method: None,
                };
                let values = self.arguments(tree, dot, &callable, args, last)?;
                self.read(tree, values.iter())?;
                let calls = self.world.calls.len();
                let result = (function.body)(self, &values);
                if self.world.calls.len() > calls {
                    self.world.place(calls, &tree.unit.place(node));
                }
                self.returned(tree, function.name, node, values, result)
                    .map(Slot::returned)
            }
            Callee::Builtin(builtin) => self.builtin(tree, dot, builtin, node, args, last),
        }
    }

    /// Calls a method with the nodes of a command and what the pipeline passes on.
    pub(super) fn call_method(
        &mut self,
        tree: &Tree,
        dot: &Slot,
        callable: &Callable<'_>,
        node: NodeId,
        args: &[NodeId],
        last: Option<Slot>,
    ) -> Evaluated<Slot> {
        let values = self.arguments(tree, dot, callable, args, last)?;
        let result = match &callable.method {
            Some((object, _)) => object.call(callable.name, &values).map_err(Fault::new),
            None => Ok(Value::Nil),
        };
        self.returned(tree, callable.name, node, values, result)
            .map(Slot::returned)
    }

    /// Accounts for a result and keeps the argument list for the next call.
    fn returned(
        &mut self,
        tree: &Tree,
        name: &str,
        node: NodeId,
        mut values: Vec<Value>,
        result: Result<Value, Fault>,
    ) -> Evaluated<Value> {
        values.clear();
        self.spare_args.push(values);
        match result {
            Ok(value) => {
                self.spend(tree, value.own_size())?;
                Ok(value)
            }
            Err(fault) => {
                self.node = node;
                Err(self.fault(tree, name, fault))
            }
        }
    }

    /// Counts the reading of large arguments.
    fn read<'v>(&mut self, tree: &Tree, values: impl Iterator<Item = &'v Value>) -> Evaluated<()> {
        let steps: usize = values.map(|value| value.len() / BYTES_PER_STEP).sum();
        if steps == 0 {
            return Ok(());
        }
        self.work(steps as u64)
            .map_err(|fault| self.error(tree, fault.message))
    }

    /// The arguments of a call, checked and converted.
    fn arguments(
        &mut self,
        tree: &Tree,
        dot: &Slot,
        callable: &Callable<'_>,
        args: &[NodeId],
        last: Option<Slot>,
    ) -> Evaluated<Vec<Value>> {
        let count = args.len() + usize::from(last.is_some());
        self.check_count(tree, callable, args.len(), count)?;
        let mut values = self.spare_args.pop().unwrap_or_default();
        for (i, &arg) in args.iter().enumerate() {
            values.push(self.argument(tree, dot, callable.param(i), arg)?.value);
        }
        if let Some(last) = last {
            values.push(self.validate(tree, last, callable.param(args.len()))?.value);
        }
        Ok(values)
    }

    fn check_count(
        &self,
        tree: &Tree,
        callable: &Callable<'_>,
        written: usize,
        count: usize,
    ) -> Evaluated<()> {
        let (name, wanted) = (callable.name, callable.params().len());
        if callable.variadic {
            let fixed = wanted.saturating_sub(1);
            if count < fixed {
                return Err(self.error(
                    tree,
                    format!("wrong number of args for {name}: want at least {fixed} got {written}"),
                ));
            }
        } else if count != wanted {
            return Err(self.error(
                tree,
                format!("wrong number of args for {name}: want {wanted} got {count}"),
            ));
        }
        Ok(())
    }

    /// A function of the language. They take Go's `reflect.Value`s, so that static types stay.
    fn builtin(
        &mut self,
        tree: &Tree,
        dot: &Slot,
        builtin: Builtin,
        node: NodeId,
        args: &[NodeId],
        last: Option<Slot>,
    ) -> Evaluated<Slot> {
        let (params, variadic) = builtin.signature();
        let callable = Callable {
            name: builtin.name(),
            params,
            variadic,
            method: None,
        };
        let count = args.len() + usize::from(last.is_some());
        self.check_count(tree, &callable, args.len(), count)?;
        if let Builtin::And | Builtin::Or = builtin {
            return self.short_circuit(tree, dot, builtin == Builtin::Or, args, last);
        }
        let mut slots = Vec::with_capacity(count);
        for (i, &arg) in args.iter().enumerate() {
            slots.push(self.argument(tree, dot, callable.param(i), arg)?);
        }
        if let Some(last) = last {
            slots.push(self.validate(tree, last, callable.param(args.len()))?);
        }
        self.read(tree, slots.iter().map(|slot| &slot.value))?;
        let result = match (builtin, args.first()) {
            (Builtin::Call, first) => {
                let name = first.map(|&first| tree.unit.text(first));
                Err(crate::template::builtin::call(name, &slots))
            }
            _ => builtin.apply(&slots),
        };
        match result {
            Ok(slot) => {
                self.spend(tree, slot.value.own_size())?;
                Ok(slot)
            }
            Err(fault) => {
                self.node = node;
                Err(self.fault(tree, builtin.name(), fault))
            }
        }
    }

    /// `and` and `or`, which stop at the first operand that decides.
    fn short_circuit(
        &mut self,
        tree: &Tree,
        dot: &Slot,
        stops_at: bool,
        args: &[NodeId],
        last: Option<Slot>,
    ) -> Evaluated<Slot> {
        let mut slot = Slot::plain(Value::Nil);
        for &arg in args {
            slot = self.argument(tree, dot, Param::Reflect, arg)?;
            if is_true(&slot.value) == stops_at {
                return Ok(slot);
            }
        }
        Ok(last.unwrap_or(slot))
    }

    /// An argument for a parameter of a type.
    fn argument(&mut self, tree: &Tree, dot: &Slot, param: Param, id: NodeId) -> Evaluated<Slot> {
        self.node = id;
        let alone = (&[][..], None);
        let slot = match &tree.unit.node(id).kind {
            NodeKind::Dot => dot.clone(),
            NodeKind::Nil => return self.nil_argument(tree, param),
            NodeKind::Field(path) => {
                self.path(tree, dot, dot.clone(), id, tree.unit.at(*path), alone)?
            }
            NodeKind::Variable(symbol, path) => {
                self.variable(tree, dot, id, *symbol, tree.unit.at(*path), alone)?
            }
            NodeKind::Pipe(_) => self.nested(tree, |run| run.pipeline(tree, dot, id))?,
            NodeKind::Identifier(callee) => {
                self.call(tree, dot, tree.unit.callee(*callee), id, &[], None)?
            }
            NodeKind::Chain(base, path) => {
                self.chain(tree, dot, id, *base, tree.unit.at(*path), alone)?
            }
            literal => return self.literal(tree, param, literal, id),
        };
        self.validate(tree, slot, param)
    }

    fn nil_argument(&self, tree: &Tree, param: Param) -> Evaluated<Slot> {
        match zero(param) {
            Some(slot) => Ok(slot),
            None => Err(self.error(tree, format!("cannot assign nil to {}", param.type_name()))),
        }
    }

    /// A constant, which takes the type of its parameter.
    fn literal(
        &mut self,
        tree: &Tree,
        param: Param,
        literal: &NodeKind,
        id: NodeId,
    ) -> Evaluated<Slot> {
        let number = match literal {
            NodeKind::Number(number) => Some(tree.unit.number(*number)),
            _ => None,
        };
        let (value, expected) = match param {
            Param::Any | Param::Reflect => return self.constant(tree, literal),
            Param::Str => match literal {
                NodeKind::String(_, text) => {
                    let text = tree.unit.string(*text).clone();
                    (Some(Value::Str(text)), "string")
                }
                _ => (None, "string"),
            },
            Param::Bool => match literal {
                NodeKind::Bool(flag) => (Some(Value::Bool(*flag)), "bool"),
                _ => (None, "bool"),
            },
            Param::Int | Param::Int64 | Param::Named("time.Duration") => {
                let kind = if param == Param::Int {
                    IntKind::Int
                } else {
                    IntKind::Int64
                };
                let int = number.and_then(|number| number.int);
                (int.map(|int| Value::Int(int, kind)), "integer")
            }
            Param::Uint32 => {
                let uint = number.and_then(|number| number.uint);
                // Go keeps the low bits of what does not fit.
                let uint = uint.map(|uint| uint & u64::from(u32::MAX));
                (
                    uint.map(|uint| Value::Uint(uint, UintKind::Uint32)),
                    "unsigned integer",
                )
            }
            Param::Float64 => (
                number.and_then(|number| number.float).map(Value::Float),
                "float",
            ),
            Param::List | Param::Map | Param::Strings | Param::Bytes | Param::Named(_) => {
                let (text, name) = (tree.unit.text(id), param.type_name());
                return Err(self.error(tree, format!("can't handle {text} for arg of type {name}")));
            }
        };
        match value {
            Some(value) => Ok(Slot::plain(value)),
            None => {
                let text = tree.unit.text(id);
                Err(self.error(tree, format!("expected {expected}; found {text}")))
            }
        }
    }

    /// Checks that a value can be passed for a parameter, and converts it.
    fn validate(&self, tree: &Tree, slot: Slot, param: Param) -> Evaluated<Slot> {
        if let Param::Any | Param::Reflect = param {
            return Ok(slot);
        }
        if slot.is_invalid() {
            let cause = || format!("invalid value; expected {}", param.type_name());
            return zero(param).ok_or_else(|| self.error(tree, cause()));
        }
        if let Some(value) = assignable(&slot.value, param) {
            return Ok(Slot::plain(value));
        }
        let got = if slot.value.is_nil() {
            slot.type_name()
        } else {
            slot.value.type_name()
        };
        let wanted = param.type_name();
        Err(self.error(
            tree,
            format!("wrong type for value; expected {wanted}; got {got}"),
        ))
    }
}

/// The zero value of a type that can be nil.
fn zero(param: Param) -> Option<Slot> {
    Some(match param {
        Param::Any => Slot::interface(Value::Nil),
        Param::Reflect => Slot::plain(Value::Nil),
        Param::List => Slot::plain(List::nil(Elem::Any).into()),
        Param::Strings => Slot::plain(List::nil(Elem::Str).into()),
        Param::Map => Slot::plain(Map::nil(MapKind::Any).into()),
        Param::Bytes => Slot::plain(Value::Bytes(Str::from(""))),
        Param::Named(name) if name.starts_with('*') || name == "io.Writer" => {
            Slot::plain(Value::Nil)
        }
        _ => return None,
    })
}

/// The value as an argument of a type, if Go's assignment rules allow it.
fn assignable(value: &Value, param: Param) -> Option<Value> {
    let fits = match (param, value) {
        (Param::Named(name), Value::Object(object)) => {
            let own = object.type_name();
            own == name || (object.kind() == Kind::Ptr && own.strip_prefix('*') == Some(name))
        }
        (Param::List | Param::Strings | Param::Map | Param::Bytes, Value::Object(object)) => {
            // A named type is assignable to its unnamed underlying type.
            return object
                .underlying()
                .and_then(|plain| assignable(&plain, param));
        }
        (Param::Str, Value::Str(_))
        | (Param::Bool, Value::Bool(_))
        | (Param::Int, Value::Int(_, IntKind::Int))
        | (Param::Int64, Value::Int(_, IntKind::Int64))
        | (Param::Uint32, Value::Uint(_, UintKind::Uint32))
        | (Param::Float64, Value::Float(_))
        | (Param::Bytes, Value::Bytes(_)) => true,
        (Param::List, Value::List(list)) => list.elem() == Elem::Any,
        (Param::Strings, Value::List(list)) => list.elem() == Elem::Str,
        (Param::Map, Value::Map(map)) => {
            matches!(
                map.kind(),
                MapKind::Any | MapKind::Values | MapKind::Values3
            )
        }
        _ => false,
    };
    fits.then(|| value.clone())
}
