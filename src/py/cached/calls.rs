//! How the key of a call is made from its arguments: once by Python, and then found by the call's bytes.

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyFunction, PyString};

use super::Call;
use super::keys::{KeyRule, Known};
use super::scope::{Scope, Scopes, is_made_in};
use crate::core::sync::{Arc, AtomicU8, Mutex, Ordering};
use crate::py::daemon::call_method;
use crate::py::ffi;
use crate::py::key::buffer::Buffer;
use crate::py::key::call::{Shape, write_call, write_defaults};
use crate::py::once::intern;
use crate::py::remembered::Memory;
use crate::py::store::Store;

/// Keys that were made before for calls.
#[derive(Default)]
pub(super) struct Calls {
    memory: Mutex<Memory<State>>,
    /// Whether `EASY` or `OWNED` says all about the shape: then nobody need look it up.
    shape: AtomicU8,
}

/// `OTHER` has to be looked up.
const OTHER_SHAPE: u8 = 0;
const EASY_SHAPE: u8 = 1;
const OWNED_SHAPE: u8 = 2;
static EASY: Shape = Shape::easy(false);
static OWNED: Shape = Shape::easy(true);

/// What keys depend on besides the call.
#[derive(Default)]
struct State {
    /// The state of the cache object under which the keys were made.
    generation: u32,
    /// What the function was then: a key holds its name and its defaults.
    function: Option<ffi::FunctionParts>,
    shape: Arc<Shape>,
}

/// What `self` or `cls` the function has.
#[derive(Clone, Copy)]
pub(super) enum Owner {
    None,
    /// Its first argument.
    First,
}

impl Calls {
    /// Were the calls those of this function, or of an equal one?
    pub(super) fn are_of(&self, function: &Bound<'_, PyFunction>) -> bool {
        let memory = self.memory.lock();
        let parts = memory.state.function.as_ref();
        parts.is_some_and(|parts| parts.are_of(function))
    }

    /// The function's owner, if its shape is one of the two easy ones.
    pub(super) fn owner(&self) -> Option<Owner> {
        match self.shape.load(Ordering::Relaxed) {
            EASY_SHAPE => Some(Owner::None),
            OWNED_SHAPE => Some(Owner::First),
            _ => None,
        }
    }

    /// Is the shape still that one, of that kind? Ask under the lock. By identity: a comparison of nothing with nothing
    /// (no positions are ignored, and no names) takes some processors as long as the whole call.
    #[inline]
    fn has(&self, kind: u8, shape: &Shape, state: &State) -> bool {
        match kind {
            OTHER_SHAPE => std::ptr::eq(&raw const *state.shape, shape),
            kind => self.shape.load(Ordering::Relaxed) == kind,
        }
    }
}

impl<'py> Call<'_, 'py> {
    /// The key of a call by its arguments, and by the request if that asks for it.
    pub(super) fn write_scoped(
        &self,
        to: &mut Buffer,
        (calls, scopes): (&Calls, &Scopes),
        store: &Bound<'py, Store>,
    ) -> PyResult<Known<'py>> {
        if self.request.is_none() {
            return self.write_call(to, (calls, None), store);
        }
        let mut scope = Buffer::new();
        match self.write_scope(&mut scope, (calls, scopes))? {
            Scope::None => return self.write_call(to, (calls, None), store),
            Scope::Written => return self.write_call(to, (calls, Some(scope.bytes())), store),
            Scope::Asked => {}
        }
        let scope = self.python(intern!(self.py(), "_scope"), ())?;
        if scope.is_none() {
            return Ok(Known::None);
        }
        let scope = scope.cast_into::<PyString>()?;
        let scope = Some(scope.to_str()?.as_bytes()).filter(|scope| !scope.is_empty());
        self.write_call(to, (calls, scope), store)
    }

    /// The key of a call by its arguments; within a scope, that stands for the owner of a method.
    #[inline]
    pub(super) fn write_call(
        &self,
        to: &mut Buffer,
        (calls, scope): (&Calls, Option<&[u8]>),
        store: &Bound<'py, Store>,
    ) -> PyResult<Known<'py>> {
        let function = self.this.function.bind(self.py());
        let Ok(function) = function.cast_exact::<PyFunction>() else {
            return self.make_key(to);
        };
        let generation = self.this.cache.get().generation();
        let looked_up;
        let kind = calls.shape.load(Ordering::Relaxed);
        let shape = match kind {
            EASY_SHAPE => &EASY,
            OWNED_SHAPE => &OWNED,
            _ => {
                looked_up = self.shape(calls, function, generation)?;
                &*looked_up
            }
        };
        let mut written = Buffer::new();
        written.push(&Store::number(store).to_le_bytes());
        written.push_sized(scope.unwrap_or_default());
        let scoped = stands_for_owner(scope);
        if !shape.is_all || !self.write_arguments(&mut written, shape, scoped)? {
            return self.make_key(to);
        }
        let bound = Store::bound(store);
        let mut memory = calls.memory.lock();
        // The shape was looked at before the lock.
        if !memory.state.is_of(generation, function) || !calls.has(kind, shape, &memory.state) {
            drop(memory);
            self.learn_shape(calls, function, generation)?;
            return self.make_key(to);
        }
        let known = memory.write(&written, to, bound);
        drop(memory);
        if known {
            return Ok(Known::Key);
        }
        let made = self.make_key(to)?;
        let in_scope = is_made_in(scope.unwrap_or_default(), &made)?;
        let defaults = self.defaults(Some(shape))?;
        let are_same = written.bytes().ends_with(defaults.bytes());
        let mut memory = calls.memory.lock();
        // What was set meanwhile may have made it another one.
        if in_scope && are_same && memory.state.is_of(generation, function) {
            memory.remember(&written, to, bound);
        }
        drop(memory);
        Ok(made)
    }

    /// False if that failed: then it fails in Flask-Caching's code, too. What interrupts the caller does so.
    fn write_arguments(&self, to: &mut Buffer, shape: &Shape, scoped: bool) -> PyResult<bool> {
        let written = write_call(to, (shape, scoped), self.args, self.kwargs);
        self.is_written(written.and_then(|()| self.write_defaults(to, shape)))
    }

    /// What of the function's defaults a key depends on.
    fn write_defaults(&self, to: &mut Buffer, shape: &Shape) -> PyResult<()> {
        if !shape.has_changing_defaults {
            return Ok(());
        }
        write_defaults(to, self.this.function.bind(self.py()))
    }

    fn is_written(&self, written: PyResult<()>) -> PyResult<bool> {
        match written {
            Err(error) if error.is_instance_of::<PyException>(self.py()) => Ok(false),
            written => written.map(|()| true),
        }
    }

    /// What `write_arguments` ends with, for a look at whether the defaults changed while a key was made.
    pub(super) fn defaults(&self, shape: Option<&Shape>) -> PyResult<Buffer> {
        let mut defaults = Buffer::new();
        if let Some(shape) = shape
            && !self.is_written(self.write_defaults(&mut defaults, shape))?
        {
            // No call ends so.
            defaults.push(b"!");
        }
        Ok(defaults)
    }

    /// The parameters of the function as it was when it was last looked at: another object after each change of it.
    pub(super) fn known_shape(&self) -> Option<Arc<Shape>> {
        match &self.this.rule {
            Some(KeyRule::Call(calls)) => Some(Arc::clone(&calls.memory.lock().state.shape)),
            _ => None,
        }
    }

    /// Remembers the new key of a call that had another one, unless the function has changed since its shape was that.
    pub(super) fn remember_anew(
        &self,
        key: &Buffer,
        store: &Bound<'py, Store>,
        (shape, defaults): (Option<&Arc<Shape>>, &Buffer),
    ) -> PyResult<()> {
        let (Some(KeyRule::Call(calls)), Some(shape)) = (&self.this.rule, shape) else {
            return Ok(());
        };
        let mut written = Buffer::new();
        written.push(&Store::number(store).to_le_bytes());
        written.push_sized(b"");
        let is_written = self.write_arguments(&mut written, shape, false)?;
        if is_written && written.bytes().ends_with(defaults.bytes()) {
            let bound = Store::bound(store);
            let mut memory = calls.memory.lock();
            if Arc::ptr_eq(&memory.state.shape, shape) {
                memory.remember(&written, key, bound);
            }
        }
        Ok(())
    }

    /// The function's parameters; if it is not what it was, all keys are forgotten.
    fn shape(
        &self,
        calls: &Calls,
        function: &Bound<'py, PyFunction>,
        generation: u32,
    ) -> PyResult<Arc<Shape>> {
        let memory = calls.memory.lock();
        let known = memory.state.is_of(generation, function);
        let shape = Arc::clone(&memory.state.shape);
        drop(memory);
        if known {
            return Ok(shape);
        }
        self.learn_shape(calls, function, generation)
    }

    #[cold]
    fn learn_shape(
        &self,
        calls: &Calls,
        function: &Bound<'py, PyFunction>,
        generation: u32,
    ) -> PyResult<Arc<Shape>> {
        // First: what is set while its shape is looked at is noticed at the next call.
        let mut parts = ffi::FunctionParts::of(function)?;
        let shape = call_method(self.decorated.as_any(), intern!(self.py(), "_shape"), ())?;
        let shape: Shape = shape.extract()?;
        if !shape.is_all || shape.has_changing_defaults {
            parts.let_defaults_go();
        }
        let kind = match shape.is_easy() {
            Some(false) => EASY_SHAPE,
            Some(true) => OWNED_SHAPE,
            None => OTHER_SHAPE,
        };
        let state = State {
            generation,
            function: Some(parts),
            shape: Arc::new(shape),
        };
        let shape = Arc::clone(&state.shape);
        let mut memory = calls.memory.lock();
        let old = memory.restart(state);
        calls.shape.store(kind, Ordering::Relaxed);
        drop(memory);
        // Out of the lock: it holds objects of the function's.
        drop(old);
        Ok(shape)
    }
}

/// Does the scope tell of the view's class, and so stand for `self`? One of the query alone does not.
fn stands_for_owner(scope: Option<&[u8]>) -> bool {
    scope.is_some_and(|scope| !scope.starts_with(b"?"))
}

impl State {
    /// Are the function and the cache object what they were?
    #[inline]
    fn is_of(&self, generation: u32, function: &Bound<'_, PyFunction>) -> bool {
        let same = |parts: &ffi::FunctionParts| parts.are_of(function);
        self.generation == generation && self.function.as_ref().is_some_and(same)
    }
}
