//! What is drawn, in the units of the data.

use crate::style::{self, Colour};

/// A figure: panels of one size in rows, a legend under them.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What stands over all panels; a figure without is named by `description` alone.
    pub title: String,
    /// What a reader who does not see the figure is told.
    pub description: String,
    /// In reading order.
    pub panels: Vec<Panel>,
    /// Under the panels.
    pub legend: Vec<LegendItem>,
    /// Lines of text under the legend: what marks and intervals are.
    pub notes: Vec<String>,
    /// Beside the panels: what the colours of cells mean.
    pub colour_bar: Option<ColourBar>,
    /// Width in mm; a figure of a grid with few cells is narrower.
    pub width: f64,
    /// Height of a panel over its width, between the axes; of cells that of their grid.
    pub aspect: f64,
    /// Most panels in a row.
    pub columns: usize,
    /// What [`Mark::Picture`] and [`Axis::pictures`] name by its place; each is embedded once.
    pub pictures: Vec<Thumbnail>,
}

/// A small picture that is embedded in a figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// Its name within the document: the same for the same bytes, so that figures can stand on one page.
    pub(crate) id: String,
    /// Its bytes as a `data:` address.
    pub(crate) uri: String,
    /// Width and height in pixels.
    pub(crate) size: [u32; 2],
}

impl Thumbnail {
    /// Of the bytes of a JPEG file of this width and height.
    pub fn jpeg(bytes: &[u8], size: [u32; 2]) -> Thumbnail {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let id = format!("p{:08x}", crc.sum());
        Thumbnail { id, uri: format!("data:image/jpeg;base64,{}", crate::raster::base64(bytes)), size }
    }

    /// How many bytes of a document it takes.
    pub fn n_bytes(&self) -> usize {
        self.uri.len() + 80
    }

    /// Width and height in mm where its longer side has this length.
    pub(crate) fn fit(&self, longest: f64) -> [f64; 2] {
        let [w, h] = self.size.map(f64::from);
        [w, h].map(|v| longest * v / w.max(h).max(1.0))
    }
}

impl Chart {
    /// A figure of the usual form.
    pub fn new(title: impl Into<String>, description: impl Into<String>) -> Chart {
        Chart {
            title: title.into(),
            description: description.into(),
            panels: Vec::new(),
            legend: Vec::new(),
            notes: Vec::new(),
            colour_bar: None,
            width: style::WIDTH,
            aspect: 0.62,
            columns: 3,
            pictures: Vec::new(),
        }
    }
}

/// One pair of axes and what stands between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Over the panel; may be empty.
    pub title: String,
    /// From left to right.
    pub x: Axis,
    /// From bottom to top; names from top to bottom.
    pub y: Axis,
    /// Drawn in this order.
    pub marks: Vec<Mark>,
}

/// An axis.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Axis {
    /// What is on it, with its unit; may be empty where names speak for themselves.
    pub label: String,
    /// Its scale.
    pub scale: Scale,
    /// Runs of names of one kind, drawn instead of them where they are many, and beside them else.
    pub groups: Vec<Group>,
    /// Without numbers, as on a map whose axes mean nothing.
    pub bare: bool,
    /// Without a line either.
    pub unseen: bool,
    /// Where ticks are put instead of at round numbers; of these those that have room get a label.
    pub ticks: Option<Vec<f64>>,
    /// Runs of columns that have a strip of a colour over them, beside their names: what they are the legend says.
    pub over: Vec<(Group, Colour)>,
    /// Pictures between the panel and the names: for each name the place of one in [`Chart::pictures`], or none.
    pub pictures: Vec<Option<usize>>,
    /// The longer side of these in mm.
    pub picture_size: f64,
    /// How many names each picture stands for, its own and those behind it: it is drawn over their middle. 0 is 1.
    pub picture_run: usize,
}

impl Axis {
    /// An axis with a label and a scale.
    pub fn new(label: impl Into<String>, scale: Scale) -> Axis {
        Axis { label: label.into(), scale, ..Axis::default() }
    }
}

/// A run of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What they have in common.
    pub name: String,
    /// The first.
    pub first: usize,
    /// How many.
    pub n: usize,
}

/// From values to places.
#[derive(Debug, Clone, PartialEq)]
pub enum Scale {
    /// Equal steps.
    Linear {
        /// Its low end.
        lo: f64,
        /// Its high end.
        hi: f64,
    },
    /// Equal factors; both ends above 0.
    Log {
        /// Its low end.
        lo: f64,
        /// Its high end.
        hi: f64,
    },
    /// Item `k` has the place around `k`.
    Names(Vec<String>),
}

impl Default for Scale {
    fn default() -> Scale {
        Scale::Linear { lo: 0.0, hi: 1.0 }
    }
}

/// A line's look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stroke {
    /// Its colour.
    pub colour: Colour,
    /// Its width in mm.
    pub width: f64,
    /// 0 is solid; 1, 2, 3 are dashes that are told apart.
    pub dash: usize,
}

impl Stroke {
    /// The look of series `k`: colours, then dashes.
    pub fn of(k: usize) -> Stroke {
        Stroke { colour: style::category(k), width: style::LINE, dash: k / style::CATEGORIES.len() }
    }
}

/// A point's look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A full circle.
    Disc,
    /// A circle.
    Ring,
    /// A full square.
    Square,
    /// A full triangle.
    Triangle,
    /// A full diamond.
    Diamond,
}

impl Shape {
    /// The shape of series `k`.
    pub fn of(k: usize) -> Shape {
        [Shape::Disc, Shape::Square, Shape::Triangle, Shape::Diamond, Shape::Ring][k % 5]
    }
}

/// What stands between the axes. Places without a number are not drawn.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    /// Points joined by lines, interrupted where there is no number.
    Curve {
        /// x and y.
        points: Vec<[f64; 2]>,
        /// Its look.
        stroke: Stroke,
        /// What it is of.
        name: String,
    },
    /// The area between two curves.
    Ribbon {
        /// x, low and high y.
        points: Vec<[f64; 3]>,
        /// Its colour.
        colour: Colour,
        /// What it is of.
        name: String,
    },
    /// A horizontal line from side to side.
    Level {
        /// y.
        at: f64,
        /// Its look.
        stroke: Stroke,
        /// What it is; empty for zero.
        name: String,
    },
    /// A horizontal area from side to side.
    Strip {
        /// Its low edge.
        lo: f64,
        /// Its high edge.
        hi: f64,
        /// Its colour.
        colour: Colour,
        /// What it is.
        name: String,
    },
    /// A box from quartile to quartile, with median and whiskers.
    Box {
        /// x of its middle.
        at: f64,
        /// Its width, in units of x.
        width: f64,
        /// Low whisker, first quartile, median, third quartile, high whisker.
        five: [f64; 5],
        /// The mean, where there is one, as a point.
        mean: Option<f64>,
        /// Its colour.
        colour: Colour,
        /// What it is of.
        name: String,
        /// How many values it sums up.
        n: usize,
    },
    /// A point.
    Point {
        /// x and y.
        at: [f64; 2],
        /// Its colour.
        colour: Colour,
        /// Its shape.
        shape: Shape,
        /// Its radius in mm.
        size: f64,
        /// What it is.
        name: String,
        /// Written beside it where there is room.
        label: String,
    },
    /// A picture, in the place of a point or beside it.
    Picture {
        /// x and y of the point.
        at: [f64; 2],
        /// Its place in [`Chart::pictures`].
        picture: usize,
        /// Its longer side in mm.
        size: f64,
        /// The colour of its frame; without one it has none.
        frame: Option<Colour>,
        /// Whether it stands beside the point, with a line to it, where there is room; else its middle is the point.
        beside: bool,
        /// What it is of.
        name: String,
        /// Written beside one that stands on its point, where there is room.
        label: String,
    },
    /// A vertical line from low to high: an interval.
    Range {
        /// x.
        at: f64,
        /// Its low end.
        lo: f64,
        /// Its high end.
        hi: f64,
        /// Its colour.
        colour: Colour,
        /// What it is of.
        name: String,
    },
    /// A bar.
    Bar {
        /// x of its middle.
        at: f64,
        /// Its width in units of x.
        width: f64,
        /// Where it begins.
        from: f64,
        /// Where it ends.
        to: f64,
        /// Its colour.
        colour: Colour,
        /// What it is of.
        name: String,
    },
    /// A grid of values in colours. Where both axes are names its cells are square; else it fills the panel.
    Cells {
        /// Row by row.
        values: Vec<f64>,
        /// Their number of columns.
        n_columns: usize,
        /// The value of the first colour.
        lo: f64,
        /// The value of the last colour.
        hi: f64,
        /// Whether the values are written into the cells, where there is room.
        written: bool,
    },
    /// A circle; both axes have one scale.
    Circle {
        /// x and y of its middle.
        at: [f64; 2],
        /// Its radius in units of x.
        radius: f64,
        /// Its colour.
        colour: Colour,
        /// What it is of.
        name: String,
        /// How many it stands for.
        n: f64,
    },
    /// Text with its middle at a place.
    Note {
        /// x and y.
        at: [f64; 2],
        /// The text.
        text: String,
    },
}

/// One entry of the legend.
#[derive(Debug, Clone, PartialEq)]
pub struct LegendItem {
    /// What it looks like.
    pub key: Key,
    /// What it is.
    pub text: String,
}

/// What an entry of the legend looks like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Key {
    /// A line.
    Line(Stroke),
    /// A line with points on it.
    Curve(Stroke, Shape),
    /// A point.
    Point(Colour, Shape),
    /// An area.
    Area(Colour),
}

/// What the colours of cells mean.
#[derive(Debug, Clone, PartialEq)]
pub struct ColourBar {
    /// The quantity, with its unit.
    pub label: String,
    /// The value of the first colour.
    pub lo: f64,
    /// The value of the last colour.
    pub hi: f64,
}
