//! BIDS: what names of files say, which files hold for a run, and the runs of a subject.
//!
//! Names are taken apart without looking at any disk ([`Name`]); the two other parts look into folders and read no
//! file.

mod inherited;
mod name;
mod subject;

pub(crate) use inherited::{applying, levels};
pub(crate) use name::Name;
pub(crate) use subject::{Choice, Found, Subject};
