//! The one table of Python names that the boundary imports: all of them when a store is set up.

use pyo3::prelude::*;
use pyo3::types::PyDelta;

use super::daemon::call_function;
use super::once::Once;

/// `module.name`, imported at the first use and kept.
pub(super) struct Imported {
    module: &'static str,
    name: &'static str,
    cell: Once<Py<PyAny>>,
}

impl Imported {
    const fn new(module: &'static str, name: &'static str) -> Self {
        Self {
            module,
            name,
            cell: Once::new(),
        }
    }

    /// The object. Raises what the import or the attribute look-up raises.
    #[inline]
    pub(super) fn get<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyAny>> {
        let object = self
            .cell
            .get_or_make(|| Ok(self.import(py)?.getattr(self.name)?.unbind()))?;
        Ok(object.bind(py))
    }

    /// The module. Its code may run in a daemon thread, and the interpreter end in the middle.
    #[cold]
    fn import<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let import = py.import("builtins")?.getattr("__import__")?;
        // With a list of names, whatever is in it, it returns the module itself, and not the package around it.
        call_function(&import, (self.module, py.None(), py.None(), ("__doc__",)))
    }

    /// Is `class` this very object?
    #[inline]
    pub(super) fn is(&self, class: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self.get(class.py())?.is(class))
    }
}

/// Imports all of it: what is first needed when the interpreter shuts down could not be imported then.
///
/// Raises what the imports raise.
pub(super) fn import_all(py: Python<'_>) -> PyResult<()> {
    for name in ALL {
        name.get(py)?;
    }
    // Imports datetime's C API, which pyo3 would otherwise do at the first check of a type.
    py.get_type::<PyDelta>();
    Ok(())
}

static ALL: [&Imported; 34] = [
    &PICKLE_DUMPS,
    &PICKLE_LOADS,
    &PICKLE_PROTOCOL,
    &DECIMAL,
    &UUID,
    &SAFE_UUID,
    &GETSIZEOF,
    &REPR,
    &REFUSED,
    &TIMEZONE,
    &UTC,
    &MARKUP,
    &SIMPLE_SERIALIZER,
    &BASE_CACHE,
    &FALLBACK_ADD,
    &FALLBACK_ARITHMETIC,
    &FALLBACK_SET_MANY,
    &HEADERS,
    &FLASK_RESPONSE,
    &WERKZEUG_RESPONSE,
    &CACHED_RESPONSE,
    &CURRENT_APP,
    &CURRENT_REQUEST,
    &IS_PLAIN,
    &ASKS_FOR_KEYS,
    &MADE_KEY,
    &FILL_CONTEXT,
    &FLASK_REQUEST,
    &REQUEST_ARGUMENTS,
    &IN_EVENT_LOOP,
    &WAIT_FOR,
    &GET_IDENT,
    &METHOD_TYPE,
    &HTTP_EXCEPTION,
];

pub(super) static PICKLE_DUMPS: Imported = Imported::new("pickle", "dumps");
pub(super) static PICKLE_LOADS: Imported = Imported::new("pickle", "loads");
pub(super) static PICKLE_PROTOCOL: Imported = Imported::new("pickle", "HIGHEST_PROTOCOL");
pub(super) static DECIMAL: Imported = Imported::new("decimal", "Decimal");
pub(super) static UUID: Imported = Imported::new("uuid", "UUID");
pub(super) static SAFE_UUID: Imported = Imported::new("uuid", "SafeUUID");
pub(super) static GETSIZEOF: Imported = Imported::new("sys", "getsizeof");
pub(super) static REPR: Imported = Imported::new("builtins", "repr");
pub(super) static REFUSED: Imported = Imported::new("flask_rustcache._refused", "refused");
pub(super) static TIMEZONE: Imported = Imported::new("datetime", "timezone");
pub(super) static UTC: Imported = Imported::new("datetime", "UTC");
pub(super) static MARKUP: Imported = Imported::new("markupsafe", "Markup");
pub(super) static SIMPLE_SERIALIZER: Imported =
    Imported::new("cachelib.serializers", "SimpleSerializer");
pub(super) static BASE_CACHE: Imported = Imported::new("cachelib", "BaseCache");
pub(super) static FALLBACK_ADD: Imported = Imported::new("flask_rustcache._fallback", "add");
pub(super) static FALLBACK_ARITHMETIC: Imported =
    Imported::new("flask_rustcache._fallback", "arithmetic");
pub(super) static FALLBACK_SET_MANY: Imported =
    Imported::new("flask_rustcache._fallback", "set_many");
pub(super) static HEADERS: Imported = Imported::new("werkzeug.datastructures", "Headers");
pub(super) static FLASK_RESPONSE: Imported = Imported::new("flask", "Response");
pub(super) static WERKZEUG_RESPONSE: Imported = Imported::new("werkzeug.wrappers", "Response");
pub(super) static CACHED_RESPONSE: Imported = Imported::new("flask_caching", "CachedResponse");
pub(super) static CURRENT_APP: Imported = Imported::new("flask_rustcache._compat", "CURRENT_APP");
pub(super) static CURRENT_REQUEST: Imported =
    Imported::new("flask_rustcache._compat", "CURRENT_REQUEST");
pub(super) static MADE_KEY: Imported = Imported::new("flask_rustcache._decorated", "MadeKey");
pub(super) static ASKS_FOR_KEYS: Imported =
    Imported::new("flask_rustcache._compat", "asks_for_keys");
pub(super) static IS_PLAIN: Imported = Imported::new("flask_rustcache._compat", "is_plain");
pub(super) static HTTP_EXCEPTION: Imported = Imported::new("werkzeug.exceptions", "HTTPException");
pub(super) static METHOD_TYPE: Imported = Imported::new("types", "MethodType");
pub(super) static FLASK_REQUEST: Imported = Imported::new("flask", "Request");
pub(super) static REQUEST_ARGUMENTS: Imported =
    Imported::new("werkzeug.datastructures", "ImmutableMultiDict");
pub(super) static FILL_CONTEXT: Imported = Imported::new("flask_rustcache._compat", "FILL_CONTEXT");
pub(super) static WAIT_FOR: Imported = Imported::new("flask_rustcache._compat", "wait_for");
pub(super) static IN_EVENT_LOOP: Imported =
    Imported::new("flask_rustcache._compat", "in_event_loop");
pub(super) static GET_IDENT: Imported = Imported::new("flask_rustcache._compat", "get_ident");
