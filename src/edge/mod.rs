//! All IO, no decisions.
