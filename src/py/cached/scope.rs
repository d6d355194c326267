//! What of the present request counts for a function of the package's own `cached`. Python says it where it is not
//! easily told; easy is a request for a view that the function is known to be, or not to be.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyType, PyWeakrefMethods, PyWeakrefReference};

use super::Call;
use super::calls::{Calls, Owner};
use super::keys::{Known, parts_of};
use crate::core::sync::Mutex;
use crate::py::imports::FLASK_REQUEST;
use crate::py::key::buffer::Buffer;
use crate::py::once::intern;
use crate::py::remembered::Memory;

/// Begins what is told here, as nothing does that Python says.
const TOLD_HERE: &[u8] = b"\0";
/// Where `MadeKey` has the scope that Python made a key in.
const SCOPE_OF_KEY: usize = 3;
/// Views that a function is remembered to be, or not to be; when there are more, all are forgotten.
const MOST_VIEWS: usize = 64;

/// What of a request counts.
pub(super) enum Scope {
    /// It is not for this function, and nothing of it counts.
    None,
    /// What was written.
    Written,
    /// Python is to say it.
    Asked,
}

/// What is remembered for that.
pub(super) struct Scopes {
    pub(super) views: Views,
    /// What Python made of queries; None where they do not count.
    queries: Option<Mutex<Memory<()>>>,
}

impl Scopes {
    pub(super) fn new(by_query: bool) -> Self {
        Self {
            views: Views::default(),
            queries: by_query.then(Mutex::default),
        }
    }
}

/// What a function is to the views that requests were dispatched to while it was called.
#[derive(Default)]
pub(super) struct Views(Mutex<Vec<Seen>>);

struct Seen {
    /// Where the view was: it is still that one if the reference says so.
    address: usize,
    view: Py<PyWeakrefReference>,
    /// Does the function answer requests for it?
    answers: bool,
}

impl Views {
    /// Remembers whether the function answers requests for a view.
    ///
    /// Raises `TypeError` for a view that cannot be referred to weakly.
    pub(super) fn see(&self, view: &Bound<'_, PyAny>, answers: bool) -> PyResult<()> {
        if self.answers(view) == Some(answers) {
            return Ok(());
        }
        let seen = Seen {
            address: view.as_ptr().addr(),
            view: PyWeakrefReference::new(view)?.unbind(),
            answers,
        };
        let mut all = self.0.lock();
        let too_many = if all.len() < MOST_VIEWS {
            Vec::new()
        } else {
            std::mem::take(&mut *all)
        };
        all.push(seen);
        drop(all);
        // Out of the lock.
        drop(too_many);
        Ok(())
    }

    /// None if that is not known.
    fn answers(&self, view: &Bound<'_, PyAny>) -> Option<bool> {
        let (py, address) = (view.py(), view.as_ptr().addr());
        let all = self.0.lock();
        // The latest: an older one may be of another view that was there.
        let seen = all
            .iter()
            .rfind(|seen| seen.address == address)
            .map(|seen| (seen.view.clone_ref(py), seen.answers));
        drop(all);
        let (known, answers) = seen?;
        let is_same = known.bind(py).upgrade().is_some_and(|known| known.is(view));
        is_same.then_some(answers)
    }
}

impl<'py> Call<'_, 'py> {
    /// Writes what counts of the request, if that is easily told.
    ///
    /// Raises what looking attributes up raises.
    pub(super) fn write_scope(
        &self,
        to: &mut Buffer,
        (calls, scopes): (&Calls, &Scopes),
    ) -> PyResult<Scope> {
        let (Some(app), Some(request)) = (&self.app, &self.request) else {
            return Ok(Scope::Asked);
        };
        let Some(view) = self.dispatched_to(app, request)? else {
            return Ok(Scope::Asked);
        };
        let told = match (scopes.views.answers(&view), &scopes.queries) {
            (None, _) => return Ok(Scope::Asked),
            (Some(false), None) => return Ok(Scope::None),
            (Some(false), Some(queries)) => self.write_arguments_of_query(to, queries)?,
            (Some(true), _) if !is_get(request)? => return Ok(Scope::Asked),
            (Some(true), queries) => {
                to.push(TOLD_HERE);
                self.write_place(to, app, request)?
                    && self.write_class(to, calls.owner())?
                    && self.write_any_query(to, queries.as_ref())?
            }
        };
        Ok(if told { Scope::Written } else { Scope::Asked })
    }

    fn write_any_query(
        &self,
        to: &mut Buffer,
        queries: Option<&Mutex<Memory<()>>>,
    ) -> PyResult<bool> {
        queries.map_or(Ok(true), |queries| {
            self.write_arguments_of_query(to, queries)
        })
    }

    /// The view that the request is for. Another class of requests may find it in another way.
    fn dispatched_to(
        &self,
        app: &Bound<'py, PyAny>,
        request: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = self.py();
        if !FLASK_REQUEST.is(&request.get_type())? {
            return Ok(None);
        }
        let rule = request.getattr(intern!(py, "url_rule"))?;
        if rule.is_none() {
            return Ok(None);
        }
        let endpoint = rule.getattr(intern!(py, "endpoint"))?;
        let views = app.getattr(intern!(py, "view_functions"))?;
        match views.cast_exact::<PyDict>() {
            Ok(views) => views.get_item(endpoint),
            Err(_) => Ok(None),
        }
    }

    /// Where the request goes to. False where the application tells hosts apart, too.
    fn write_place(
        &self,
        to: &mut Buffer,
        app: &Bound<'py, PyAny>,
        request: &Bound<'py, PyAny>,
    ) -> PyResult<bool> {
        let py = self.py();
        let rules = app.getattr(intern!(py, "url_map"))?;
        let by_host = rules.getattr(intern!(py, "host_matching"))?.is_truthy()?
            || app
                .getattr(intern!(py, "subdomain_matching"))?
                .is_truthy()?;
        let root = request.getattr(intern!(py, "root_path"))?;
        let path = request.getattr(intern!(py, "path"))?;
        let (Some(root), Some(path), false) = (text_of(&root), text_of(&path), by_host) else {
            return Ok(false);
        };
        to.push_sized(root.trim_end_matches('/').as_bytes());
        to.push_sized(path.as_bytes());
        Ok(true)
    }

    /// The class of a method's owner. False if it is not known whether there is one.
    fn write_class(&self, to: &mut Buffer, owner: Option<Owner>) -> PyResult<bool> {
        let py = self.py();
        let first = match (owner, self.args.iter().next()) {
            (None, _) => return Ok(false),
            (Some(Owner::None), _) | (_, None) => return Ok(true),
            (Some(Owner::First), Some(first)) => first,
        };
        let class = match first.cast_into::<PyType>() {
            Ok(class) => class,
            Err(other) => other.into_inner().get_type(),
        };
        let module = class.getattr(intern!(py, "__module__"))?;
        let name = class.getattr(intern!(py, "__qualname__"))?;
        let (Some(module), Some(name)) = (text_of(&module), text_of(&name)) else {
            return Ok(false);
        };
        to.push_sized(module.as_bytes());
        to.push_sized(name.as_bytes());
        Ok(true)
    }
}

/// Was a key made in that scope? Between the two another view may have been put in the place of the one that the request
/// was dispatched to.
pub(super) fn is_made_in(scope: &[u8], made: &Known<'_>) -> PyResult<bool> {
    let Known::Made(made) = made else {
        return Ok(false);
    };
    let Some(parts) = parts_of(made)? else {
        return Ok(false);
    };
    let by_python = parts.get_item(SCOPE_OF_KEY)?;
    let by_python = text_of(&by_python).unwrap_or_default();
    if scope.starts_with(TOLD_HERE) {
        return Ok(by_python.starts_with("GET "));
    }
    Ok(by_python.as_bytes() == scope)
}

fn is_get(request: &Bound<'_, PyAny>) -> PyResult<bool> {
    let method = request.getattr(intern!(request.py(), "method"))?;
    Ok(text_of(&method) == Some("GET"))
}

/// The text of an exact str that is UTF-8.
fn text_of<'a>(object: &'a Bound<'_, PyAny>) -> Option<&'a str> {
    object.cast_exact::<PyString>().ok()?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Objects that can be referred to weakly.
    fn objects(py: Python<'_>, count: usize) -> Vec<Bound<'_, PyAny>> {
        let code = c"[type('View', (), {})() for _ in range(500)]";
        let all = py.eval(code, None, None).expect("a list");
        let all = all.try_iter().expect("a list").take(count);
        all.collect::<PyResult<_>>().expect("a list")
    }

    #[test]
    fn what_is_known_of_a_view_ends_with_it() {
        Python::initialize();
        Python::attach(|py| {
            let (views, known) = (objects(py, 2), Views::default());
            known.see(&views[0], true).expect("it is kept");
            assert_eq!(known.answers(&views[0]), Some(true));
            assert_eq!(known.answers(&views[1]), None);
            // As if the other one had been made where the first one was.
            known.0.lock()[0].address = views[1].as_ptr().addr();
            assert_eq!(known.answers(&views[1]), None);
            known.see(&views[1], false).expect("it is kept");
            assert_eq!(known.answers(&views[1]), Some(false));
        });
    }

    #[test]
    fn no_more_views_are_remembered_than_a_few() {
        Python::initialize();
        Python::attach(|py| {
            let known = Views::default();
            for view in objects(py, 500) {
                known.see(&view, false).expect("it is kept");
                assert_eq!(known.answers(&view), Some(false));
                assert!(known.0.lock().len() <= MOST_VIEWS);
            }
        });
    }
}
