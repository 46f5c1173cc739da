//! What the user typed; the only reader of the environment.
