//! encode: being written.
