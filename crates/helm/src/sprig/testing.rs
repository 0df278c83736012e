//! Calls functions as the evaluator does, for tests.

use super::text::strval;
use crate::template::{Fault, Runtime, World};
use crate::value::{Str, Value};

pub(super) struct TestRun(World);

impl TestRun {
    pub(super) fn new() -> Self {
        Self(World::new(
            "2026-03-04T05:06:07.089Z".parse().unwrap(),
            [7; 32],
        ))
    }
}

impl Runtime for TestRun {
    fn world(&mut self) -> &mut World {
        &mut self.0
    }

    fn work(&mut self, _: u64) -> Result<(), Fault> {
        Ok(())
    }

    fn include(&mut self, _: &Str, _: &Value) -> Result<Str, Fault> {
        Err("no templates here".into())
    }

    fn tpl(&mut self, _: &Str, _: &Value) -> Result<Str, Fault> {
        Err("no templates here".into())
    }
}

fn run(name: &str, args: &[Value]) -> Result<Value, Fault> {
    let function = super::functions().find(|f| f.name == name).unwrap();
    (function.body)(&mut TestRun::new(), args)
}

/// The result of a function.
pub(super) fn value(name: &str, args: &[Value]) -> Value {
    run(name, args).unwrap_or_else(|fault| panic!("{name}: {}", fault.message))
}

/// The result of a function as text.
pub(super) fn call(name: &str, args: &[Value]) -> String {
    let text = strval(&value(name, args)).unwrap();
    text.to_text().into_owned()
}

/// The text of the error of a function.
pub(super) fn fails(name: &str, args: &[Value]) -> String {
    run(name, args).unwrap_err().message
}
