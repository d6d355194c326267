//! The only file that may hold `unsafe`: what CPython's C API offers and pyo3 does not wrap.
//!
//! One operation a block; each SAFETY note says who guarantees what.
#![expect(
    unsafe_code,
    reason = "thin wrappers over C API calls that pyo3 has no safe form of"
)]

use std::convert::Infallible;
use std::mem::offset_of;
// Not from `core::sync`: these words are CPython's.
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::{PyDict, PyFunction, PyList, PyString, PyTuple};

/// The version tag of an object's type: CPython changes it whenever an attribute of the type or of
/// one of its bases changes. 0 means that the type has no valid tag now.
#[inline]
pub(super) fn type_version(object: &Bound<'_, PyAny>) -> u32 {
    let class = object.get_type_ptr();
    // SAFETY: a live object (guaranteed by the `Bound`) has a live type; only the field's address is made.
    let field = unsafe { &raw mut (*class).tp_version_tag };
    // SAFETY: aligned, and the object holds its type; `__class__` can be set only by other code, which does not run
    // here, or on free-threaded builds with all other threads stopped. There the field may be written meanwhile,
    // whole words only: either value is a right answer for some moment of the call.
    let field = unsafe { AtomicU32::from_ptr(field) };
    field.load(Ordering::Acquire)
}

/// The number of the interpreter that the caller is attached to. None is given twice in a process.
///
/// Raises what CPython raises if it has no numbers left.
pub(super) fn interpreter_number(py: Python<'_>) -> PyResult<i64> {
    // SAFETY: the caller is attached, so there is a current interpreter; nothing is taken over.
    let current = unsafe { ffi::PyInterpreterState_Get() };
    // SAFETY: the interpreter that the caller is attached to lives at least until it detaches.
    let number = unsafe { ffi::PyInterpreterState_GetID(current) };
    if number < 0 {
        return Err(PyErr::fetch(py));
    }
    Ok(number)
}

/// `object.__setattr__` (or `__delattr__` for None) without going through the object's own override.
///
/// Raises what the generic setter raises (`AttributeError`, or what a property raises).
pub(super) fn set_attribute(
    object: &Bound<'_, PyAny>,
    name: &Bound<'_, PyString>,
    value: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let value = value.map_or(std::ptr::null_mut(), Bound::as_ptr);
    // SAFETY: attached, with no exception set. `object` and `name` are live by their `Bound`s, also while code of
    // properties or of what is replaced runs; `name` is a str, `value` is live or null (null deletes); the
    // call takes no references over.
    let status = unsafe { ffi::PyObject_GenericSetAttr(object.as_ptr(), name.as_ptr(), value) };
    if status == 0 {
        Ok(())
    } else {
        Err(PyErr::fetch(object.py()))
    }
}

/// Is there no global interpreter lock? An object's header is larger then.
pub(super) const FREE_THREADED: bool = size_of::<ffi::PyObject>() > 2 * size_of::<usize>();

/// The items of a list at one moment, whatever other threads do to it.
pub(super) fn list_items<'py>(list: &Bound<'py, PyList>) -> Vec<Bound<'py, PyAny>> {
    let py = list.py();
    let item_at = |index| {
        // SAFETY: `list` is a live list that is longer than `index`: nothing in here waits, so that the critical
        // section (the GIL on other builds) is not given up.
        let item = unsafe { ffi::PyList_GET_ITEM(list.as_ptr(), index) };
        // SAFETY: the list holds `item`, for the same reason.
        unsafe { Bound::from_borrowed_ptr(py, item) }
    };
    with_critical_section(list.as_any(), || {
        // SAFETY: `list` is a live list.
        let len = unsafe { ffi::PyList_GET_SIZE(list.as_ptr()) };
        (0..len).map(item_at).collect()
    })
}

/// The items of a dict at one moment, whatever other threads do to it.
pub(super) fn dict_items<'py>(
    dict: &Bound<'py, PyDict>,
) -> Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    let mut items = Vec::with_capacity(dict.len());
    let Ok(_count) = dict_each(dict, |key, value| {
        items.push((key, value));
        Ok::<_, Infallible>(())
    });
    items
}

/// Shows the items of a dict to `visit`, in order; how many there were. Stops at its first error, and returns it.
///
/// On free-threaded builds no other thread changes the dict meanwhile, unless `visit` has to wait for something.
/// A dict that changes may yield an item twice or not at all, so callers compare the count with what they
/// expected; memory-safe it is in any case.
#[inline]
pub(super) fn dict_each<'py, E>(
    dict: &Bound<'py, PyDict>,
    mut visit: impl FnMut(Bound<'py, PyAny>, Bound<'py, PyAny>) -> Result<(), E>,
) -> Result<usize, E> {
    with_critical_section(dict.as_any(), || {
        let (mut position, mut count) = (0, 0);
        let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
        loop {
            // SAFETY: `dict` is a live dict; the out pointers are valid for writes; whatever `position` is
            // after a change is checked anew. The critical section (the GIL on other builds) keeps other
            // threads from changing the dict within this call: if `visit` lost it, it has it again.
            let found = unsafe {
                ffi::PyDict_Next(
                    dict.as_ptr(),
                    &raw mut position,
                    &raw mut key,
                    &raw mut value,
                )
            };
            if found == 0 {
                return Ok(count);
            }
            // SAFETY: PyDict_Next returned 1, so `key` is a live borrowed reference, and nothing has run since.
            let key = unsafe { Bound::from_borrowed_ptr(dict.py(), key) };
            // SAFETY: the same for `value`: taking a reference to `key` ran no other code.
            let value = unsafe { Bound::from_borrowed_ptr(dict.py(), value) };
            visit(key, value)?;
            count += 1;
        }
    })
}

/// The value of a context variable in the present context, or None if it has none.
#[inline]
pub(super) fn context_value<'py>(
    variable: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let mut value = std::ptr::null_mut();
    // SAFETY: `variable` is live; PyContextVar_Get checks its type itself; a null default is allowed; the
    // out pointer is valid for writes.
    let status =
        unsafe { ffi::PyContextVar_Get(variable.as_ptr(), std::ptr::null_mut(), &raw mut value) };
    if status != 0 {
        return Err(PyErr::fetch(variable.py()));
    }
    // SAFETY: on success the out pointer holds a new reference or null.
    Ok(unsafe { Bound::from_owned_ptr_or_opt(variable.py(), value) })
}

/// What a call returned: a new reference, or null with an exception set.
#[must_use = "the reference is given back by `into_result` only"]
pub(super) struct Returned(*mut ffi::PyObject);

/// The type of [`call_object`].
pub(super) type Call =
    for<'py> fn(&Bound<'py, PyAny>, &Bound<'py, PyTuple>, Option<&Bound<'py, PyDict>>) -> Returned;

/// Calls an object. Nothing is dropped here, so that a thread which CPython ends within the call can be
/// unwound through this frame.
#[inline(never)]
pub(super) fn call_object<'py>(
    callable: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> Returned {
    let kwargs = kwargs.map_or(std::ptr::null_mut(), Bound::as_ptr);
    // SAFETY: attached, with no exception set; all are live by their `Bound`s, `args` is a tuple, `kwargs` a dict
    // or null; nothing is taken over. Where CPython ends the thread within the call, it unwinds through
    // this frame and the guard in the next one stops it: see `daemon.rs`.
    Returned(unsafe { ffi::PyObject_Call(callable.as_ptr(), args.as_ptr(), kwargs) })
}

impl Returned {
    /// The result of the call, or the exception that it raised.
    pub(super) fn into_result(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        // SAFETY: PyObject_Call returns a new reference, or null with an exception set; `Returned` is neither
        // Copy nor made anywhere else, so the reference is taken over once.
        unsafe { Bound::from_owned_ptr_or_err(py, self.0) }
    }
}

/// What a function's key depends on: its module, qualified name, code and defaults, by identity.
///
/// Defaults that are not held may be replaced by others at the same address. Nothing goes by that: they are written
/// with each call (`Shape::has_changing_defaults`), or no key of the function is remembered (`Shape::is_all`).
pub(super) struct FunctionParts {
    addresses: [usize; PARTS],
    /// Keeps the addresses from being given to other objects.
    held: [Option<Py<PyAny>>; PARTS],
}

const PARTS: usize = 5;
/// Those before are constant; its defaults need not be.
const FIRST_DEFAULTS: usize = 3;

impl FunctionParts {
    /// The parts that a function has now.
    ///
    /// Raises what the look-up of attributes raises.
    pub(super) fn of(function: &Bound<'_, PyFunction>) -> PyResult<Self> {
        let names = [
            "__module__",
            "__qualname__",
            "__code__",
            "__defaults__",
            "__kwdefaults__",
        ];
        let mut parts = Self {
            addresses: part_addresses(function),
            held: [const { None }; PARTS],
        };
        for (at, name) in names.into_iter().enumerate() {
            let part = function.getattr(name)?;
            let address = parts.addresses[at];
            let is_there = address == part.as_ptr().addr() || (address == 0 && part.is_none());
            if !is_there {
                // Another thread set it meanwhile: such parts are no function's.
                parts.addresses[at] = usize::MAX;
            }
            parts.held[at] = Some(part.unbind());
        }
        Ok(parts)
    }

    /// Holds its defaults no longer: only constant ones may be kept, as others may refer to the function, and the
    /// collector does not see what is held here.
    pub(super) fn let_defaults_go(&mut self) {
        self.held[FIRST_DEFAULTS..].fill_with(|| None);
    }

    /// Does the function still have them?
    #[inline]
    pub(super) fn are_of(&self, function: &Bound<'_, PyFunction>) -> bool {
        self.addresses == part_addresses(function)
    }
}

/// Where a function's code is; another object may come to lie there when that is gone.
pub(super) fn code_address(function: &Bound<'_, PyFunction>) -> usize {
    part_addresses(function)[FIRST_DEFAULTS - 1]
}

#[inline]
fn part_addresses(function: &Bound<'_, PyFunction>) -> [usize; PARTS] {
    const OFFSETS: [usize; PARTS] = [
        offset_of!(ffi::PyFunctionObject, func_module),
        offset_of!(ffi::PyFunctionObject, func_qualname),
        offset_of!(ffi::PyFunctionObject, func_code),
        offset_of!(ffi::PyFunctionObject, func_defaults),
        offset_of!(ffi::PyFunctionObject, func_kwdefaults),
    ];
    OFFSETS.map(|offset| {
        let field = function.as_ptr().wrapping_byte_add(offset);
        // SAFETY: a pointer in a live object of exactly this type, by its `Bound` (callers cast it exactly, as
        // no subclass of it can exist). On free-threaded builds it may be set at this moment, whole words
        // only: either value will do, as it is not followed.
        let field = unsafe { AtomicPtr::from_ptr(field.cast::<*mut ffi::PyObject>()) };
        field.load(Ordering::Relaxed).addr()
    })
}

/// What an int takes beside its digits, and a float: more on free-threaded builds.
pub(super) const INT_HEADER: usize = size_of::<ffi::PyVarObject>();
pub(super) const FLOAT_SIZE: usize = size_of::<ffi::PyFloatObject>();

/// What a bytes object takes beside its bytes, the zero at their end included.
pub(super) const BYTES_HEADER: usize = std::mem::offset_of!(ffi::PyBytesObject, ob_sval) + 1;

/// What a str of ASCII characters takes; None for any other.
///
/// Its characters come right after the header; those of others after a larger one, or in a block of their own. From 3.14
/// on PyO3 knows of no other way to tell.
#[inline]
pub(super) fn ascii_size(text: &Bound<'_, PyString>) -> Option<usize> {
    // SAFETY: a live str, by its `Bound`; the call only reads its header, whose form never changes.
    let characters = unsafe { ffi::PyUnicode_DATA(text.as_ptr()) };
    let header = size_of::<ffi::PyASCIIObject>();
    if characters.addr() != text.as_ptr().addr() + header {
        return None;
    }
    // SAFETY: the same. The str is ready, as the lines above say; up to 3.11 there are others, without a length.
    let length = unsafe { ffi::PyUnicode_GET_LENGTH(text.as_ptr()) };
    Some(header + usize::try_from(length).ok()? + 1)
}

/// How many references an object has, the caller's own among them; very many if it is immortal.
///
/// A container always owns what it holds, so with no more than one container's and the caller's an object occurs
/// nowhere else in a tree. Other threads may change the count meanwhile, and from 3.14 on local variables
/// may hold an object without being counted: it tells nothing about who else knows it.
#[inline]
pub(super) fn reference_count(object: &Bound<'_, PyAny>) -> ffi::Py_ssize_t {
    // SAFETY: a live object, by its `Bound`; the call only reads its header, atomically where that is needed.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) }
}

/// A list of exactly `len` items, each made by `item(index)` as it is needed.
///
/// Raises what `item` raises (the part that was made is freed), or `MemoryError`.
pub(super) fn list_with<'py>(
    py: Python<'py>,
    len: usize,
    mut item: impl FnMut(usize) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyList>> {
    let size = ffi::Py_ssize_t::try_from(len)?;
    // SAFETY: attached, by `py`; a non-negative size.
    let raw = unsafe { ffi::PyList_New(size) };
    // SAFETY: PyList_New returns a new reference or null with an exception set.
    let list = unsafe { Bound::from_owned_ptr_or_err(py, raw) }?.cast_into::<PyList>()?;
    // Until it is full its empty slots would crash whoever found it through the collector. Nobody can have found it
    // yet: no other code has run since it was made, and no other thread may stop this one here to look.
    untrack(&list);
    for index in 0..len {
        let value = item(index)?.into_ptr();
        // SAFETY: a list, with `index < len`; it takes `value`'s reference, also if it failed. The slot is still
        // empty and the list as long as it was: `item` may have run any code, but nobody else knows the list, as
        // it is untracked and refers to itself from nowhere. (If `item` raises, freeing it skips empty slots.)
        unsafe { ffi::PyList_SetItem(list.as_ptr(), index.cast_signed(), value) };
    }
    ensure_tracked(&list);
    Ok(list)
}

/// Takes an object out of the collector's sight, if it is there. It must never become part of a
/// reference cycle, or only for as long as nobody else knows it: a cycle through it is never collected. That would
/// be a leak, and no worse.
///
/// CPython does the same with tuples, and every type's deallocation takes an untracked object. Nothing brings an
/// immutable object back; a dict of up to 3.13 comes back by itself when a container is put in.
pub(super) fn untrack(object: &Bound<'_, PyAny>) {
    // SAFETY: a live object, by its `Bound`; the call only reads its type.
    let collected = unsafe { ffi::PyObject_IS_GC(object.as_ptr()) };
    if collected != 0 {
        // SAFETY: it carries a collector header, as the line above says; untracking twice is allowed, and so it is from
        // a finaliser within a collection, and of frozen objects: whatever list it is in, it is taken out. On
        // free-threaded builds the bit lies beside others that are not for tuples, frozensets and UUIDs; all
        // else that comes here is private to the caller.
        unsafe { ffi::PyObject_GC_UnTrack(object.as_ptr().cast()) }
    }
}

/// Brings a container back under the collector's eyes, if it is not there.
pub(super) fn ensure_tracked(container: &Bound<'_, PyAny>) {
    // SAFETY: a live object, by its `Bound`; the call only reads its header.
    let tracked = unsafe { ffi::PyObject_GC_IsTracked(container.as_ptr()) };
    if tracked == 0 {
        // SAFETY: callers pass only exact dicts and lists, which carry a collector header; the container is fully
        // made (no slot is null), and not tracked, as the line above says. Nobody else knows it yet, so nobody
        // tracks it between that line and this one.
        unsafe { ffi::PyObject_GC_Track(container.as_ptr().cast()) }
    }
}
