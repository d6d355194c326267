//! How the key of a call is made.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFunction, PyString, PyTuple};

use super::{Call, Plan};
use crate::core::sync::{Arc, AtomicU8, Mutex, Ordering};
use crate::py::ffi;
use crate::py::imports::{FLASK_REQUEST, MADE_KEY};
use crate::py::key::buffer::Buffer;
use crate::py::key::call::{Shape, write_call};
use crate::py::remembered::Remembered;
use crate::py::store::Store;

/// Queries that a function remembers the keys of.
const MOST_QUERIES: usize = 1024;
/// Bytes of a call or a query that are worth remembering.
const MOST_BYTES: usize = 1024;

/// See the module.
pub(super) enum KeyRule {
    /// It is always this one.
    Fixed(String),
    /// This stands before and after `request.path`.
    Path(String, String),
    /// By `query_string=True`: Flask-Caching makes it, once for each query.
    Query(Mutex<Memory>),
    /// Python makes it, once for each way to write a call.
    Call(Calls),
    /// The same, once for each request where it is a view that is called; Python says what that comes to.
    Scoped(Calls),
    /// Python makes it at each call.
    Asked,
}

/// Keys that were made before for calls.
#[derive(Default)]
pub(super) struct Calls {
    memory: Mutex<Memory>,
    /// Whether `EASY` or `OWNED` says all about the shape: then nobody need look it up.
    shape: AtomicU8,
}

const EASY_SHAPE: u8 = 1;
const OWNED_SHAPE: u8 = 2;
static EASY: Shape = Shape::easy(false);
static OWNED: Shape = Shape::easy(true);

/// Keys that were made before, and what they depend on besides the call.
#[derive(Default)]
pub(super) struct Memory {
    state: State,
    keys: Remembered,
}

#[derive(Default)]
struct State {
    /// The state of the cache object under which the keys were made.
    generation: u32,
    /// What the function was then: a key holds its name and its defaults.
    function: Option<ffi::FunctionParts>,
    shape: Arc<Shape>,
}

/// What is known of a key that was looked for.
pub(super) enum Known<'py> {
    /// The key.
    Key,
    /// The key, and what Python made it as.
    Made(Bound<'py, PyAny>),
    /// It is no str: this.
    Odd(Bound<'py, PyAny>),
    /// There is none: what this call returns is not to be cached.
    None,
}

impl KeyRule {
    /// None where no hit is native.
    pub(super) fn new(plan: &Plan) -> Option<Self> {
        Some(match plan.kind.as_deref()? {
            "view" => Self::by_prefix(&plan.prefix),
            "query" => Self::Query(Mutex::default()),
            "call" => Self::Call(Calls::default()),
            "scoped" => Self::Scoped(Calls::default()),
            _ => Self::Asked,
        })
    }

    /// What `%` makes of other conversions than one `%s` is Python's to say.
    fn by_prefix(prefix: &str) -> Self {
        let Some((before, after)) = prefix.split_once("%s") else {
            return Self::Fixed(prefix.to_owned());
        };
        if before.contains('%') || after.contains('%') {
            return Self::Asked;
        }
        Self::Path(before.to_owned(), after.to_owned())
    }

    /// Does the key depend on whether there is a request?
    #[inline]
    pub(super) const fn heeds_request(&self) -> bool {
        self.needs_request() || matches!(self, Self::Scoped(_))
    }

    /// Is there a key only within a request?
    #[inline]
    pub(super) const fn needs_request(&self) -> bool {
        matches!(self, Self::Path(..) | Self::Query(_))
    }
}

impl<'py> Call<'_, 'py> {
    /// Writes the key.
    #[inline]
    pub(super) fn write_key(
        &self,
        to: &mut Buffer,
        store: &Bound<'py, Store>,
    ) -> PyResult<Known<'py>> {
        let rule = self.this.rule.as_ref().unwrap_or(&KeyRule::Asked);
        let asks = self.this.asks_for_key.load(Ordering::Relaxed);
        if asks || self.this.cache.get().asks_for_keys() {
            return self.make_key(to);
        }
        match rule {
            KeyRule::Fixed(key) => to.push(key.as_bytes()),
            KeyRule::Path(before, after) => return self.write_path(to, (before, after)),
            KeyRule::Query(memory) => return self.write_query(to, memory),
            KeyRule::Call(memory) => return self.write_call(to, (memory, None), store),
            KeyRule::Scoped(memory) => return self.write_scoped(to, memory, store),
            KeyRule::Asked => return self.make_key(to),
        }
        Ok(Known::Key)
    }

    fn write_path(&self, to: &mut Buffer, around: (&str, &str)) -> PyResult<Known<'py>> {
        let Some(request) = &self.request else {
            return self.make_key(to);
        };
        let path = request.getattr(intern!(self.py(), "path"))?;
        let Ok(path) = path.cast_exact::<PyString>() else {
            return self.make_key(to);
        };
        to.push(around.0.as_bytes());
        to.push(path.to_str()?.as_bytes());
        to.push(around.1.as_bytes());
        Ok(Known::Key)
    }

    /// The key of the request's query.
    fn write_query(&self, to: &mut Buffer, memory: &Mutex<Memory>) -> PyResult<Known<'py>> {
        let py = self.py();
        let Some(request) = &self.request else {
            return self.make_key(to);
        };
        let query = request.getattr(intern!(py, "query_string"))?;
        let path = request.getattr(intern!(py, "path"))?;
        let attributes = request.getattr(intern!(py, "__dict__"))?;
        let attributes = attributes.cast::<PyDict>()?;
        // Another class may read its arguments in another way.
        let usual = FLASK_REQUEST.is(&request.get_type())? && has_own_arguments(attributes)?;
        let (Ok(query), Ok(path), true) = (
            query.cast_exact::<PyBytes>(),
            path.cast_exact::<PyString>(),
            usual,
        ) else {
            return self.make_key(to);
        };
        let mut written = Buffer::new();
        written.push_sized(path.to_str()?.as_bytes());
        written.push(query.as_bytes());
        let generation = self.this.cache.get().generation();
        if find(memory, written.bytes(), generation, to) {
            return Ok(Known::Key);
        }
        let parsed_here = !attributes.contains(intern!(py, "args"))?;
        let known = self.make_key(to)?;
        if parsed_here && let Some(parsed) = attributes.get_item(intern!(py, "args"))? {
            attributes.set_item(intern!(py, PARSED), parsed)?;
        }
        remember(memory, &written, to, MOST_QUERIES);
        Ok(known)
    }

    /// The key of a call by its arguments, and by the request if that asks for it.
    fn write_scoped(
        &self,
        to: &mut Buffer,
        calls: &Calls,
        store: &Bound<'py, Store>,
    ) -> PyResult<Known<'py>> {
        if self.request.is_none() {
            return self.write_call(to, (calls, None), store);
        }
        let scope = self.python(intern!(self.py(), "_scope"), ())?;
        if scope.is_none() {
            return Ok(Known::None);
        }
        let scope = scope.cast_into::<PyString>()?;
        let scope = Some(scope.to_str()?).filter(|scope| !scope.is_empty());
        self.write_call(to, (calls, scope), store)
    }

    /// The key of a call by its arguments; within a scope, that stands for the owner of a method.
    #[inline]
    fn write_call(
        &self,
        to: &mut Buffer,
        (calls, scope): (&Calls, Option<&str>),
        store: &Bound<'py, Store>,
    ) -> PyResult<Known<'py>> {
        let function = self.this.function.bind(self.py());
        let Ok(function) = function.cast_exact::<PyFunction>() else {
            return self.make_key(to);
        };
        let generation = self.this.cache.get().generation();
        let looked_up;
        let shape = match calls.shape.load(Ordering::Relaxed) {
            EASY_SHAPE => &EASY,
            OWNED_SHAPE => &OWNED,
            _ => {
                looked_up = self.shape(calls, function, generation)?;
                &*looked_up
            }
        };
        let mut written = Buffer::new();
        written.push(&Store::number(store).to_le_bytes());
        written.push_sized(scope.unwrap_or_default().as_bytes());
        // What fails here fails in Flask-Caching's code, too.
        if !shape.is_all
            || self
                .write_arguments(&mut written, shape, stands_for_owner(scope))
                .is_err()
        {
            return self.make_key(to);
        }
        let bound = Store::bound(store);
        let mut memory = calls.memory.lock();
        if !memory.state.is_of(generation, function) {
            drop(memory);
            self.learn_shape(calls, function, generation)?;
            return self.make_key(to);
        }
        let known = memory
            .keys
            .find(written.bytes(), bound, |key| to.push(key.as_bytes()));
        drop(memory);
        if known {
            return Ok(Known::Key);
        }
        let made = self.make_key(to)?;
        remember(&calls.memory, &written, to, bound);
        Ok(made)
    }

    fn write_arguments(&self, to: &mut Buffer, shape: &Shape, scoped: bool) -> PyResult<()> {
        write_call(to, (shape, scoped), self.args, self.kwargs)
    }

    /// Remembers the new key of a call that had another one.
    pub(super) fn remember_anew(&self, key: &Buffer, store: &Bound<'py, Store>) {
        let (Some(KeyRule::Call(calls)), mut written) = (&self.this.rule, Buffer::new()) else {
            return;
        };
        let shape = Arc::clone(&calls.memory.lock().state.shape);
        written.push(&Store::number(store).to_le_bytes());
        written.push_sized(b"");
        if self.write_arguments(&mut written, &shape, false).is_ok() {
            remember(&calls.memory, &written, key, Store::bound(store));
        }
    }

    /// Does Python make more of a key than its text?
    pub(super) const fn makes_parts(&self) -> bool {
        matches!(self.this.rule, Some(KeyRule::Call(_) | KeyRule::Scoped(_)))
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
        let shape: Shape = self
            .decorated
            .call_method0(intern!(self.py(), "_shape"))?
            .extract()?;
        let parts = ffi::FunctionParts::of(function, shape.is_all)?;
        let kind = match shape.is_easy() {
            Some(false) => EASY_SHAPE,
            Some(true) => OWNED_SHAPE,
            None => 0,
        };
        let state = State {
            generation,
            function: Some(parts),
            shape: Arc::new(shape),
        };
        let shape = Arc::clone(&state.shape);
        let mut memory = calls.memory.lock();
        let old = std::mem::replace(&mut memory.state, state);
        memory.keys.clear();
        calls.shape.store(kind, Ordering::Relaxed);
        drop(memory);
        // Out of the lock: it holds objects of the function's.
        drop(old);
        Ok(shape)
    }

    /// Python makes the key.
    #[cold]
    pub(super) fn make_key(&self, to: &mut Buffer) -> PyResult<Known<'py>> {
        let made = self.python(intern!(self.py(), "_make"), ())?;
        let key = match parts_of(&made)? {
            Some(parts) => parts.get_item(0)?,
            None => made.clone(),
        };
        let Ok(key) = key.cast_exact::<PyString>() else {
            return Ok(Known::Odd(made));
        };
        let Ok(text) = key.to_str() else {
            return Ok(Known::Odd(made));
        };
        to.push(text.as_bytes());
        Ok(Known::Made(made))
    }
}

/// What Python made of a key, if that is more than the key: see `MadeKey`.
pub(super) fn parts_of<'a, 'py>(
    made: &'a Bound<'py, PyAny>,
) -> PyResult<Option<&'a Bound<'py, PyTuple>>> {
    let is_made = MADE_KEY.is(&made.get_type())?;
    Ok(made.cast::<PyTuple>().ok().filter(|_| is_made))
}

/// Does the scope tell of the view's class, and so stand for `self`? One of the query alone does not.
fn stands_for_owner(scope: Option<&str>) -> bool {
    scope.is_some_and(|scope| !scope.starts_with('?'))
}

impl State {
    /// Are the function and the cache object what they were?
    #[inline]
    fn is_of(&self, generation: u32, function: &Bound<'_, PyFunction>) -> bool {
        let same = |parts: &ffi::FunctionParts| parts.are_of(function);
        self.generation == generation && self.function.as_ref().is_some_and(same)
    }
}

/// Writes the key that was made for a query, if one was.
fn find(memory: &Mutex<Memory>, written: &[u8], generation: u32, to: &mut Buffer) -> bool {
    let mut memory = memory.lock();
    if memory.state.generation != generation {
        memory.state.generation = generation;
        memory.keys.clear();
        return false;
    }
    memory
        .keys
        .find(written, MOST_QUERIES, |key| to.push(key.as_bytes()))
}

fn remember(memory: &Mutex<Memory>, written: &Buffer, key: &Buffer, bound: usize) {
    let (written, key) = (written.bytes(), std::str::from_utf8(key.bytes()));
    if let Ok(key) = key
        && written.len() <= MOST_BYTES
        && !key.is_empty()
    {
        memory.lock().keys.remember(written, key, bound);
    }
}

/// Where a request's arguments are kept as Flask-Caching's key was made of them.
const PARSED: &str = "_flask_rustcache_args";

/// Are the request's arguments those of its query string, as far as can be told? Not parsed yet, or parsed
/// under our eyes: an application may put others in their place.
fn has_own_arguments(attributes: &Bound<'_, PyDict>) -> PyResult<bool> {
    let py = attributes.py();
    let Some(arguments) = attributes.get_item(intern!(py, "args"))? else {
        return Ok(true);
    };
    let parsed = attributes.get_item(intern!(py, PARSED))?;
    Ok(parsed.is_some_and(|parsed| parsed.is(&arguments)))
}
