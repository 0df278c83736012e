//! What functions may ask of a run: the outside world, `include` and `tpl`.
//!
//! Follows helm v4 `pkg/engine/engine.go`, `includeFun` and `tplFun`.

use super::{Run, Slot};
use crate::limits::{MAX_INCLUDES, MAX_TPL_DEPTH};
use crate::template::ast::Tree;
use crate::template::error::Error;
use crate::template::function::{Fault, Runtime};
use crate::template::set::without_no_value;
use crate::template::world::World;
use crate::value::quote::quoted;
use crate::value::{Str, Value};
use std::rc::Rc;

impl Runtime for Run<'_> {
    fn world(&mut self) -> &mut World {
        self.world
    }

    fn work(&mut self, steps: u64) -> Result<(), Fault> {
        self.steps_left = match self.steps_left.checked_sub(steps) {
            Some(left) => left,
            None => {
                self.steps_left = 0;
                return Err(Fault::new(self.too_many_steps()));
            }
        };
        Ok(())
    }

    fn include(&mut self, name: &Str, data: &Value) -> Result<Str, Fault> {
        let name_text = name.to_text();
        match self.includes.get_mut(&*name_text) {
            Some(count) if *count > MAX_INCLUDES => {
                return Err(Fault::new(format!(
                    "rendering template has a nested reference name: {name_text}: \
                     unable to execute template"
                )));
            }
            Some(count) => *count += 1,
            None => {
                self.includes.insert(Rc::from(&*name_text), 1);
            }
        }
        let result = match self.set.get(&name_text).cloned() {
            Some(tree) => self.output_of(&tree, data, std::convert::identity),
            None => Err(Error::no_template(name, &self.templates.root)),
        };
        if let Some(count) = self.includes.get_mut(&*name_text) {
            *count -= 1;
        }
        match result {
            Ok(output) => Ok(output),
            Err(inner) => Err(Fault {
                message: String::new(),
                inner: Some(inner),
            }),
        }
    }

    fn tpl(&mut self, text: &Str, data: &Value) -> Result<Str, Fault> {
        if self.tpl_depth >= MAX_TPL_DEPTH {
            return Err(Fault::new(format!(
                "tpl is nested more than {MAX_TPL_DEPTH} times"
            )));
        }
        let failed = |what: &str, inner| Fault {
            message: format!("{what} {}: ", quoted(text)),
            inner: Some(inner),
        };
        let (set, tree, parsed) = self
            .templates
            .for_text(&self.set, text)
            .map_err(|error| failed("cannot parse template", error))?;
        // A tree takes a multiple of its text.
        if !self.take_bytes(parsed.saturating_mul(16)) {
            return Err(Fault::new(self.too_many_bytes()));
        }
        let outer = std::mem::replace(&mut self.set, set);
        self.tpl_depth += 1;
        let result = self.output_of(&tree, data, without_no_value);
        self.tpl_depth -= 1;
        self.set = outer;
        result.map_err(|error| failed("error during tpl function execution for", error))
    }
}

impl Run<'_> {
    /// Runs a template apart from the current output.
    fn output_of(
        &mut self,
        tree: &Tree,
        data: &Value,
        clean: fn(Vec<u8>) -> Vec<u8>,
    ) -> Result<Str, Error> {
        let outer = std::mem::take(&mut self.out);
        let template_depth = std::mem::take(&mut self.template_depth);
        let (trail, call) = (self.trail.as_mut(), self.node);
        let mile = trail.map(|trail| trail.enter_at(&tree.unit, call));
        let result = self.run(tree, &Slot::plain(data.clone()));
        self.template_depth = template_depth;
        let written = std::mem::replace(&mut self.out, outer);
        let length = written.len();
        let output = Str::from(clean(written));
        if let (Some(trail), Some(mile)) = (&mut self.trail, mile) {
            trail.leave_with(&mile, (output.len() == length).then_some(&output));
        }
        result.map(|()| output)
    }
}
