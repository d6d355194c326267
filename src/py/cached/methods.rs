//! Which request methods a decorated view has answered: the first answer for one may be another method's.

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::Call;
use super::keys::KeyRule;
use crate::core::sync::Ordering;
use crate::py::once::intern;

/// Stands for any method that is not told apart, and for no request.
const OTHER_METHODS: u8 = 0;

impl Call<'_, '_> {
    /// The request's method, if this is the first answer for one of it: it may be another method's.
    #[inline]
    pub(super) fn unknown_method(&self) -> PyResult<Option<u8>> {
        if !self.this.rule.as_ref().is_some_and(KeyRule::needs_request) {
            return Ok(None);
        }
        let bit = self.method_bit()?;
        let known = bit == OTHER_METHODS || self.this.methods.load(Ordering::Relaxed) & bit != 0;
        Ok((!known).then_some(bit))
    }

    /// One bit for each request method whose answers are told apart; GET and HEAD may serve each other.
    #[inline]
    fn method_bit(&self) -> PyResult<u8> {
        let Some(request) = &self.request else {
            return Ok(OTHER_METHODS);
        };
        let method = request.getattr(intern!(self.py(), "method"))?;
        Ok(match method.cast::<PyString>()?.to_str()? {
            "GET" | "HEAD" => 1,
            "POST" => 2,
            "PUT" => 4,
            "PATCH" => 8,
            "DELETE" => 16,
            _ => OTHER_METHODS,
        })
    }
}
