//! tuning: being written.
