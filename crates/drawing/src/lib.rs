//! Charts to SVG, PNG and Unicode text: scales, ticks, axes, marks, legend; no files and no command line.
//!
//! A [`Chart`] is made of [`Panel`]s with two [`Axis`]es and [`Mark`]s in the units of the data. [`draw`] lays it out
//! in millimetres and writes SVG; [`png`] renders that with the one embedded font, so that neither needs fonts or a
//! display; [`text`] draws the same chart with characters. All of it is a function of the chart alone: the same bytes
//! on any machine. Values stand in `data-*` attributes beside the shapes that show them, with six digits.
//!
//! A [`Sheet`] is made of pictures of one scale instead (of a brain: [`space`], [`mesh`], [`outline`]); [`draw_sheet`]
//! and [`sheet_text`] draw it.
#![warn(missing_docs)]

mod chart;
mod circles;
mod font;
mod labels;
mod layout;
mod marks;
pub mod mesh;
pub mod outline;
mod picture;
mod raster;
mod scale;
mod sheet;
pub mod space;
pub mod style;
mod svg;
mod terminal;

pub use chart::{Axis, Chart, ColourBar, Group, Key, LegendItem, Mark, Panel, Scale, Shape, Stroke, Thumbnail};
pub use circles::{AreaTrue, Circle, area_true, heart};
pub use font::{missing_glyphs, text_width};
pub use layout::{Drawn, draw};
pub use picture::Picture;
pub use raster::{PngError, png};
pub use scale::{linear_over, nice_ticks};
pub use sheet::{Line, Pane, Path, Sheet, SignedBar, draw_sheet, draw_sheet_quickly, sheet_text};
pub use svg::{escape, value};
pub use terminal::text;
