//! What is remembered of calls, for functions that are decorated afresh at each call: one that has the parts of one
//! before it has the same keys, and need not have them made again.

use std::collections::HashMap;

use ahash::RandomState;
use pyo3::prelude::*;
use pyo3::types::PyFunction;

use super::calls::Calls;
use crate::core::sync::{Arc, Mutex};
use crate::py::ffi;

type ByCode = HashMap<usize, Arc<Calls>, RandomState>;

/// As many different functions as this are remembered; when there are more, all are forgotten.
const MOST_FUNCTIONS: usize = 256;

/// See the module. By where a function's code is: the latest function of that code is remembered.
#[derive(Default)]
pub(in crate::py) struct SharedCalls {
    by_code: Mutex<ByCode>,
}

impl SharedCalls {
    /// What was remembered of an equal function, or a beginning.
    pub(super) fn of(&self, function: &Bound<'_, PyAny>) -> Arc<Calls> {
        let Ok(function) = function.cast_exact::<PyFunction>() else {
            return Arc::default();
        };
        let code = ffi::code_address(function);
        let known = self.by_code.lock().get(&code).map(Arc::clone);
        // Other code may have come to lie there since.
        if let Some(calls) = known.filter(|calls| calls.are_of(function)) {
            return calls;
        }
        let made = Arc::<Calls>::default();
        drop(self.remember(code, Arc::clone(&made)));
        made
    }

    /// What is forgotten, to be dropped out of the lock: it holds objects of the functions'.
    fn remember(&self, code: usize, calls: Arc<Calls>) -> (ByCode, Option<Arc<Calls>>) {
        let mut by_code = self.by_code.lock();
        let forgotten = if by_code.len() < MOST_FUNCTIONS {
            ByCode::default()
        } else {
            std::mem::take(&mut *by_code)
        };
        let replaced = by_code.insert(code, calls);
        (forgotten, replaced)
    }
}
