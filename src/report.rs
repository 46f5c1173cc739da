//! The only wording of failures.
