//! ceiling: being written.
