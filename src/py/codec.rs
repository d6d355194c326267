//! Python objects to stored values and back, one file per way of storing.

pub(super) mod compact;
pub(super) mod container;
pub(super) mod immutable;
pub(super) mod pickle;
pub(super) mod prototype;
pub(super) mod response;
mod size;
