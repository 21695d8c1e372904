//! `figure brain`: a statistical map in slices, looked through, or on the surface of the cortex.

mod args;
mod cuts;
mod maps;
mod quantity;
mod regions;
mod slices;
mod surface;
mod templates;

use anyhow::{Result, bail};
use cli::Input;
use drawing::mesh::{Hemisphere, View};
use drawing::space::{Direction, Lattice, Plane};
use drawing::{Pane, Sheet, SignedBar, style, value};
use rayon::prelude::*;

use crate::look::Session;
pub(crate) use args::BrainArgs;
use args::{Display, Half, Kind, Tail};
use maps::{Map, hemispheres, read_map, read_one};
use regions::Regions;
use slices::{Background, Slices, Volume, signed};
use surface::{Side, onto_cortex};
use templates::{Templates, read_mesh};

fn direction(letter: char) -> Direction {
    match letter {
        'y' => Direction::Y,
        'z' => Direction::Z,
        _ => Direction::X,
    }
}

/// Slices along an axis where nobody says how many.
const N_CUTS: usize = 7;
/// Most panes in a row.
const IN_A_ROW: usize = 8;

pub(crate) fn run(args: &BrainArgs) -> Result<()> {
    let session = args.look.start()?;
    let templates = Templates::find(args.templates.as_ref());
    let maps = args.maps.iter().map(|input| read_map(&session.job, input, args.volume)).collect::<Result<Vec<_>>>()?;
    let Some(first) = maps.first() else { bail!("0 maps; give one") };
    let kind = args.view.unwrap_or(match (first.space.grid(), args.surface.is_empty()) {
        (Some(_), true) => Kind::Slices,
        _ => Kind::Surface,
    });
    args.check(kind, &maps)?;
    let mut sheet = match kind {
        Kind::Surface => args.surfaces(&session, templates.as_ref(), &maps)?,
        kind => args.volumes(&session, templates.as_ref(), first, kind)?,
    };
    let called: Vec<String> = maps.iter().map(|map| map.input.array_name(0).replace(".nii", "")).collect();
    sheet.description = format!("{}: {} {}", called.join(", "), sheet.description, sheet.notes.join(" "));
    session.finish_sheet(sheet)
}

impl BrainArgs {
    /// The colours, and in words what they show of these values.
    fn colours(&self, values: &[&[f64]], unit: &str, quantity: Option<&str>) -> Result<(SignedBar, String)> {
        let all = || values.iter().flat_map(|values| values.iter().copied()).filter(|v| v.is_finite());
        let threshold = self.threshold.unwrap_or(0.0);
        let (up, down) = (self.tail != Tail::Less, self.tail != Tail::Greater);
        let n_above = all().filter(|&v| up && v > threshold).count();
        let n_below = all().filter(|&v| down && v < -threshold).count();
        let shown = || all().filter(|&v| (up && v > threshold) || (down && v < -threshold));
        let largest = shown().map(f64::abs).fold(0.0, f64::max);
        let hi = self.vmax.unwrap_or(if largest > 0.0 { largest } else { threshold.max(1.0) });
        if hi <= threshold && largest > 0.0 {
            bail!("--vmax {hi} is not above --threshold {threshold}; no value would have a colour");
        }
        // A side without a value has no colours, unless no side has one.
        let none = n_above + n_below == 0;
        let bar = SignedBar {
            label: quantity.unwrap_or("value").into(),
            hi,
            threshold,
            above: up && (n_above > 0 || none),
            below: down && (n_below > 0 || none),
        };
        let label = &bar.label;
        let rule = match (self.tail, threshold > 0.0) {
            (Tail::Greater, _) => format!("{label} > {}", signed_value(threshold)),
            (Tail::Less, _) => format!("{label} < {}", signed_value(-threshold)),
            (Tail::TwoSided, true) => format!("|{label}| > {}", value(threshold)),
            (Tail::TwoSided, false) => format!("{label} other than 0"),
        };
        let n = all().filter(|v| *v != 0.0).count();
        let words = match none {
            true => {
                let most = all().fold(0.0f64, |most, v| if v.abs() > most.abs() { v } else { most });
                format!(
                    "No {unit} of {n} has {rule}: nothing is coloured. The value farthest from 0 is {}.",
                    signed_value(most)
                )
            }
            false => format!("Coloured: {rule}, {} of {n} {}.", n_above + n_below, plural(unit)),
        };
        let beyond = shown().filter(|v| v.abs() > hi).count();
        let cut = if beyond > 0 { format!(" {beyond} lie beyond the last colour.") } else { String::new() };
        Ok((bar, words + &cut))
    }

    fn volumes(&self, session: &Session, templates: Option<&Templates>, map: &Map, kind: Kind) -> Result<Sheet> {
        let Some(grid) = map.space.grid() else { bail!("{}: {}, where voxels are needed", map.input, map.space) };
        let volume = Volume::new(map.input.to_string(), map.values.clone(), grid)?;
        let quantity = self.unit.clone().or_else(|| map.quantity.clone());
        let (bar, coloured) = self.colours(&[&volume.values], "voxel", quantity.as_deref())?;
        if self.background.as_ref().is_some_and(|input| input.to_string() == "mni152") {
            warn_of_space(session, map, grid.space);
        }
        let background = match &self.background {
            None => None,
            Some(input) => {
                let input = match input.to_string() == "mni152" {
                    true => Templates::require(templates, "--background mni152")?.background()?,
                    false => input.clone(),
                };
                let read = read_one(&session.job, &input, "a background")?;
                let Some(grid) = read.space.grid() else {
                    bail!("{input}: {}, but a background is a volume", read.space)
                };
                Some(Background::new(Volume::new(input.to_string(), read.values.clone(), grid)?)?)
            }
        };
        let regions = match self.regions.first() {
            None => None,
            Some(input) => {
                let all =
                    regions::read_regions(&session.job, input, self.labels.as_ref(), &[(&map.input, &map.space)])?;
                let Some(grid) = all.space.grid() else { bail!("{input}: {}, but the map has voxels", all.space) };
                let Some(lattice) = Lattice::new(grid.shape, grid.affine) else {
                    bail!("{input}: {grid}: its axes lie in one plane, so that voxels have no place");
                };
                Some((all, lattice))
            }
        };
        let drawn = Slices {
            map: &volume,
            bar: &bar,
            background: background.as_ref(),
            regions: regions.as_ref().filter(|_| kind == Kind::Slices).map(|(all, lattice)| (all, lattice.clone())),
        };
        let mut sheet = sheet();
        let mut outlines = None;
        let (rows, words) = match kind {
            Kind::Glass => {
                let (rows, by) = self.glass(session, templates, &drawn, regions.as_ref())?;
                outlines = by;
                (rows, "Glass brain: of the values along a line of sight the one farthest from 0.")
            }
            _ => (self.slices(&drawn)?, "Slices."),
        };
        sheet.rows = rows;
        let is_placed = volume.grid.space != 0;
        if !is_placed {
            session.job.warn(format!(
                "{}: its header has neither sform nor qform: which side is left is not known, and no side is marked",
                map.input
            ));
            sheet.rows.iter_mut().flatten().for_each(|pane| pane.ends = Default::default());
        }
        sheet.description = words.into();
        sheet.notes.push(coloured.clone());
        if coloured.starts_with("No ") {
            session.job.note(format!("{}: {coloured}", map.input));
        }
        if kind == Kind::Glass {
            sheet.notes.push(words.into());
        }
        let mm = match volume.grid.space {
            3 => "Talairach space",
            4 => "MNI space",
            _ => "the image's space",
        };
        let sagittal = if sheet.rows.iter().flatten().any(|pane| pane.ends.iter().any(|end| end == "A")) {
            "; A front, P back"
        } else {
            ""
        };
        sheet.notes.push(match is_placed {
            true => format!("L left, R right: left is left (neurological){sagittal}. Millimetres of {mm}."),
            false => "The header says of no axis which way it runs: left and right, front and back are not known; x, y and z \
                      are its axes, in mm from the middle."
                .into(),
        });
        sheet.notes.extend(outlines);
        if let Some((all, _)) = &regions {
            let (legend, words) = regions::legend(&all.names);
            sheet.legend = legend;
            sheet.notes.extend(words);
            say_unseen(session, &all.names, &mut sheet);
        }
        sheet.bar = Some(bar);
        sheet.width = if sheet.rows.iter().map(Vec::len).max().unwrap_or(0) > 2 { style::WIDE } else { style::WIDTH };
        Ok(sheet)
    }

    fn slices(&self, drawn: &Slices) -> Result<Vec<Vec<Pane>>> {
        let (extent, pixel) = drawn.frame(slices::MOST_PIXELS)?;
        let Volume { values, grid, lattice, name } = drawn.map;
        let n_cuts = self.cuts.map_or(N_CUTS, |n| n as usize);
        // Peaks of what is coloured.
        let shown =
            || -> Vec<f64> { values.iter().map(|&v| if drawn.bar.colour(v).is_some() { v } else { 0.0 }).collect() };
        let along = |direction| {
            let of = shown();
            let of = if of.iter().any(|v| *v != 0.0) { &of } else { values };
            cuts::through_peaks(of, grid.shape, lattice, direction, n_cuts)
        };
        let planned: Vec<Vec<(Direction, f64)>> = match self.display.as_ref().unwrap_or(&ortho()) {
            Display::Mosaic => {
                if !self.cut_coords.is_empty() {
                    bail!("--cut-coords: a mosaic is cut along three axes; give --cuts N, or --display x, y or z");
                }
                let all = [Direction::X, Direction::Y, Direction::Z];
                all.map(|direction| along(direction).into_iter().map(|at| (direction, at)).collect()).into()
            }
            Display::Letters(letters) if letters.len() == 1 => {
                let direction = direction(letters[0]);
                let places = if self.cut_coords.is_empty() { along(direction) } else { self.cut_coords.clone() };
                let n_rows = places.len().div_ceil(IN_A_ROW).max(1);
                let in_a_row = places.len().div_ceil(n_rows).max(1);
                places.chunks(in_a_row).map(|row| row.iter().map(|&at| (direction, at)).collect()).collect()
            }
            Display::Letters(letters) => {
                if self.cuts.is_some() {
                    bail!(
                        "--cuts is of one axis (--display z) or of a mosaic; here each axis is cut once (--cut-coords)"
                    );
                }
                let directions: Vec<Direction> = letters.iter().map(|letter| direction(*letter)).collect();
                let places: Vec<f64> = match self.cut_coords.len() {
                    0 => {
                        let threshold = self.threshold.filter(|t| *t > 0.0);
                        let shown = shown();
                        let middle = cuts::middle_of_largest(&shown, grid.shape, lattice, threshold)
                            .or_else(|| cuts::middle_of_largest(values, grid.shape, lattice, None));
                        let middle =
                            middle.unwrap_or_else(|| std::array::from_fn(|d| (extent.lo[d] + extent.hi[d]) / 2.0));
                        directions.iter().map(|direction| middle[direction.axis()]).collect()
                    }
                    n if n == directions.len() => self.cut_coords.clone(),
                    n => bail!("--cut-coords: {n} numbers for {} axes; give one for each", directions.len()),
                };
                vec![directions.into_iter().zip(places).collect()]
            }
        };
        let mut rows = Vec::new();
        for row in planned {
            let mut panes = Vec::new();
            for (direction, at) in row {
                // What is said is what is drawn.
                let at = (at * 10.0).round() / 10.0;
                let (lo, hi) = (extent.lo[direction.axis()], extent.hi[direction.axis()]);
                if !(lo..=hi).contains(&at) {
                    bail!(
                        "--cut-coords: {} = {} mm is outside {name}, which has values from {} to {} mm",
                        direction.name(),
                        signed(at),
                        signed(lo),
                        signed(hi)
                    );
                }
                panes.push(drawn.pane(&Plane::over(direction, at, &extent, pixel)));
            }
            rows.push(panes);
        }
        Ok(rows)
    }

    #[allow(clippy::type_complexity)] // rows of panes, and a sentence
    fn glass(
        &self,
        session: &Session,
        templates: Option<&Templates>,
        drawn: &Slices,
        regions: Option<&(Regions, Lattice)>,
    ) -> Result<(Vec<Vec<Pane>>, Option<String>)> {
        // No voxel may be missed, however fine they are.
        let (extent, pixel) = drawn.frame(f64::INFINITY)?;
        let all = ortho();
        let Display::Letters(letters) = self.display.as_ref().unwrap_or(&all) else { return Ok((Vec::new(), None)) };
        // The schematic is of the MNI brain: a scan in its own space or in Talairach's is not that.
        let schematic = templates.filter(|_| ![0, 1, 3].contains(&drawn.map.grid.space));
        let mut row = Vec::new();
        for &letter in letters {
            let direction = direction(letter);
            let pieces = schematic.map(|templates| templates.schematic(&session.job, direction)).transpose()?;
            let mut around = extent;
            for [right, up] in pieces.iter().flat_map(|schematic| schematic.points()) {
                for (d, v) in direction.drawn().into_iter().zip([right, up]) {
                    // Whole pixels, so that those of voxels stay where they are.
                    let steps = |distance: f64| (distance / pixel).ceil() * pixel;
                    around.lo[d] = around.lo[d].min(extent.lo[d] - steps((extent.lo[d] - v).max(0.0)));
                    around.hi[d] = around.hi[d].max(extent.hi[d] + steps((v - extent.hi[d]).max(0.0)));
                }
            }
            let mut plane = Plane::over(direction, 0.0, &around, pixel);
            plane.mirrored = letter == 'l';
            let (side, caption) = match letter {
                'l' => (-1.0, "left hemisphere"),
                'r' => (1.0, "right hemisphere"),
                'x' => (0.0, "from the right"),
                'y' => (0.0, "from behind"),
                _ => (0.0, "from above"),
            };
            let mut pane = drawn.glass(&plane, &around, side, pieces.as_ref(), caption);
            if let Some((all, lattice)) = regions {
                pane.lines.extend(shadows(all, lattice, &plane, side));
            }
            row.push(pane);
        }
        let words = match schematic {
            Some(_) => "Grey lines: schematic brain in MNI space (nilearn).",
            None => "Grey: where the map has a value.",
        };
        Ok((vec![row], Some(words.into())))
    }

    fn surfaces(&self, session: &Session, templates: Option<&Templates>, maps: &[Map]) -> Result<Sheet> {
        let job = &session.job;
        let stated = self.hemisphere.map(|half| match half {
            Half::Left => Hemisphere::Left,
            Half::Right => Hemisphere::Right,
        });
        if stated.is_some() && maps.len() > 1 {
            bail!("--hemisphere is of one map; of two the names or the files say it (lh., rh., hemi-L, hemi-R)");
        }
        let is_fsaverage5 = matches!(self.surface.as_slice(), [one] if one.to_string() == "fsaverage5");
        let Some(first) = maps.first() else { bail!("0 maps; give one") };
        if self.surface.is_empty() {
            bail!(
                "{}: {}; say what they lie on: --surface fsaverage5, or a mesh per hemisphere (.surf.gii)",
                first.input,
                first.space
            );
        }
        if first.space.grid().is_some() && !is_fsaverage5 {
            bail!(
                "{}: voxels, which are brought to --surface fsaverage5 alone; bring them to your mesh first (`wb_command \
                 -volume-to-surface-mapping`, `mri_vol2surf`)",
                first.input
            );
        }
        let found = match is_fsaverage5 {
            true => Some(Templates::require(templates, "--surface fsaverage5")?),
            false => None,
        };
        let of_template = |what: &str, hemisphere| match &found {
            Some(found) => found.fsaverage5(what, hemisphere).map(Some),
            None => Ok(None),
        };
        // The values of each hemisphere, by the file that they come from.
        let mut values: Vec<(Hemisphere, Vec<f64>, &Input)> = Vec::new();
        for map in maps {
            if let (Some(grid), Some(_)) = (map.space.grid(), &found) {
                if maps.len() > 1 {
                    bail!("{}: a volume holds both hemispheres; give one map", map.input);
                }
                warn_of_space(session, map, grid.space);
                let volume = Volume::new(map.input.to_string(), map.values.clone(), grid)?;
                let sides = stated.map_or(vec![Hemisphere::Left, Hemisphere::Right], |side| vec![side]);
                for hemisphere in sides {
                    let mesh = |what: &str| match of_template(what, hemisphere)? {
                        Some(input) => read_mesh(job, &input),
                        None => bail!("no template"),
                    };
                    let on = onto_cortex(&volume.values, &volume.lattice, &mesh("pial")?, &mesh("white")?)?;
                    if on.iter().all(|v| v.is_nan()) {
                        bail!(
                            "{}: none of it lies on the {} cortex of fsaverage5; is it in MNI space?",
                            map.input,
                            maps::name(hemisphere)
                        );
                    }
                    values.push((hemisphere, on, &map.input));
                }
                continue;
            }
            for (hemisphere, of) in hemispheres(&map.input, &map.space, &map.values, stated)? {
                if let Some((_, _, other)) = values.iter().find(|(side, ..)| *side == hemisphere) {
                    bail!("{}: the {} hemisphere again, which is in {other}", map.input, maps::name(hemisphere));
                }
                values.push((hemisphere, of, &map.input));
            }
        }
        values.sort_by_key(|(hemisphere, ..)| *hemisphere);
        let quantity = self.unit.clone().or_else(|| first.quantity.clone());
        let of: Vec<&[f64]> = values.iter().map(|(_, of, _)| of.as_slice()).collect();
        let (bar, coloured) = self.colours(&of, "vertex", quantity.as_deref())?;

        let mut meshes = Vec::new();
        for input in self.surface.iter().filter(|_| !is_fsaverage5) {
            let mesh = read_mesh(job, input)?;
            let space = brain_formats::Space::Surface(brain_formats::space::Surface {
                structure: mesh.structure.clone(),
                n_vertices: mesh.coordinates.len(),
            });
            // With one mesh for one map nothing has to be told apart.
            let only = (self.surface.len() == 1 && values.len() == 1 && mesh.structure.is_none()).then(|| values[0].0);
            let hemisphere = hemispheres(input, &space, &vec![0.0; mesh.coordinates.len()], only)?[0].0;
            meshes.push((hemisphere, mesh, input));
        }
        let depths = self.per_hemisphere(session, &self.sulc, &values, |input| {
            let map = read_one(job, input, "sulcal depth")?;
            hemispheres(input, &map.space, &map.values, None)
        })?;
        let regions = self.regions_of_hemispheres(session, &values, maps)?;

        let mut sides = Vec::new();
        for (hemisphere, values, input) in values {
            let (mesh, of) = match of_template("infl", hemisphere)? {
                Some(file) => (read_mesh(job, &file)?, file.to_string()),
                None => match meshes.iter().position(|(side, ..)| *side == hemisphere) {
                    Some(at) => {
                        let (_, mesh, file) = meshes.remove(at);
                        (mesh, file.to_string())
                    }
                    None => bail!(
                        "{input}: the {} hemisphere has no mesh; --surface takes one per hemisphere",
                        maps::name(hemisphere)
                    ),
                },
            };
            let n = mesh.coordinates.len();
            if values.len() != n {
                bail!(
                    "{input}: {} vertices of the {} hemisphere, but {of} has {n}; give the mesh that the map lies on",
                    values.len(),
                    maps::name(hemisphere)
                );
            }
            let mut depth = depths.iter().find(|(side, _)| *side == hemisphere).map(|(_, depth)| depth.clone());
            if let (None, Some(file)) = (&depth, of_template("sulc", hemisphere)?) {
                depth = Some(read_map(job, &file, None)?.values);
            }
            if let Some(depth) = depth.as_ref().filter(|depth| depth.len() != n) {
                bail!(
                    "--sulc: {} vertices of the {} hemisphere, but {of} has {n}",
                    depth.len(),
                    maps::name(hemisphere)
                );
            }
            let own = regions.as_ref().map(|(names, layers)| {
                let layers: Vec<Vec<u32>> =
                    layers.iter().filter(|(side, _)| *side == hemisphere).map(|(_, layer)| layer.clone()).collect();
                (names.clone(), layers)
            });
            if let Some(layer) = own.iter().flat_map(|(_, layers)| layers).find(|layer| layer.len() != n) {
                bail!(
                    "--regions: {} vertices of the {} hemisphere, but {of} has {n}",
                    layer.len(),
                    maps::name(hemisphere)
                );
            }
            sides.push(Side { hemisphere, mesh, depth, values, regions: own });
        }
        if let Some((side, _, input)) = meshes.first() {
            bail!("{input}: a mesh of the {} hemisphere, of which there is no map", maps::name(*side));
        }

        let mut sheet = sheet();
        // About 200 dots per inch where panes stand in threes.
        let longest = sides.iter().map(|side| length(&side.mesh.coordinates)).fold(0.0, f64::max);
        let per_pane = (style::WIDE / self.sides.len().max(3) as f64) / 25.4 * 200.0;
        let pixel = if longest > 0.0 { longest / per_pane } else { 1.0 };
        let views: Vec<(&Side, View)> =
            sides.iter().flat_map(|side| self.sides.iter().map(move |seen| (side, seen.view()))).collect();
        // Each is drawn by itself, so that their number of threads is nowhere seen.
        let panes: Vec<Pane> = views.par_iter().map(|(side, view)| surface::pane(side, *view, &bar, pixel)).collect();
        sheet.rows = panes.chunks(self.sides.len().max(1)).map(<[Pane]>::to_vec).collect();
        sheet.description = "On the surface of the cortex.".into();
        if coloured.starts_with("No ") {
            job.note(format!("{}: {coloured}", first.input));
        }
        sheet.notes.push(coloured);
        let on = if is_fsaverage5 { "Inflated surface of fsaverage5, sulci dark; " } else { "" };
        sheet.notes.push(format!("{on}A front, P back, L left, R right."));
        if first.space.grid().is_some() {
            sheet.notes.push("The volume is averaged between the pial and the white surface.".into());
        }
        if let Some((names, _)) = &regions {
            let (legend, words) = regions::legend(names);
            sheet.legend = legend;
            sheet.notes.extend(words);
            say_unseen(session, names, &mut sheet);
        }
        sheet.bar = Some(bar);
        sheet.width = if self.sides.len() > 2 { style::WIDE } else { style::WIDTH };
        Ok(sheet)
    }

    /// What files of hemispheres hold, for hemispheres that have a map.
    #[allow(clippy::type_complexity)] // hemispheres and their values
    fn per_hemisphere(
        &self,
        session: &Session,
        inputs: &[Input],
        values: &[(Hemisphere, Vec<f64>, &Input)],
        read: impl Fn(&Input) -> Result<Vec<(Hemisphere, Vec<f64>)>>,
    ) -> Result<Vec<(Hemisphere, Vec<f64>)>> {
        let mut all: Vec<(Hemisphere, Vec<f64>)> = Vec::new();
        for input in inputs {
            for (hemisphere, of) in read(input)? {
                if !values.iter().any(|(side, ..)| *side == hemisphere) {
                    session.job.note(format!(
                        "{input}: of the {} hemisphere, which has no map, is not drawn",
                        maps::name(hemisphere)
                    ));
                }
                all.push((hemisphere, of));
            }
        }
        Ok(all)
    }

    /// Names of regions, and layers of them for each hemisphere.
    #[allow(clippy::type_complexity)] // names, and hemispheres with their layers
    fn regions_of_hemispheres(
        &self,
        session: &Session,
        values: &[(Hemisphere, Vec<f64>, &Input)],
        maps: &[Map],
    ) -> Result<Option<(Vec<String>, Vec<(Hemisphere, Vec<u32>)>)>> {
        if self.regions.is_empty() {
            return Ok(None);
        }
        let mut names: Vec<String> = Vec::new();
        let mut layers = Vec::new();
        for input in &self.regions {
            let of: Vec<_> = maps.iter().map(|map| (&map.input, &map.space)).collect();
            let read = regions::read_regions(&session.job, input, self.labels.as_ref(), &of)?;
            if read.space.grid().is_some() {
                bail!(
                    "{input}: voxels, but regions on a surface are labels of its vertices (.label.gii, .annot, .dlabel.nii)"
                );
            }
            // One name in both hemispheres is one region.
            let numbers: Vec<u32> = read
                .names
                .iter()
                .map(|name| {
                    let place = names.iter().position(|other| other == name).unwrap_or_else(|| {
                        names.push(name.clone());
                        names.len() - 1
                    });
                    Ok(u32::try_from(place + 1)?)
                })
                .collect::<Result<_>>()?;
            let only = (self.regions.len() == 1 && values.len() == 1).then(|| values[0].0);
            for layer in &read.layers {
                let renumbered: Vec<f64> =
                    layer.iter().map(|&k| if k == 0 { 0.0 } else { f64::from(numbers[k as usize - 1]) }).collect();
                // A file that says its hemisphere is believed.
                let sides = hemispheres(input, &read.space, &renumbered, None).or_else(|error| match only {
                    Some(only) if matches!(&read.space, brain_formats::Space::Surface(s) if s.structure.is_none()) => {
                        hemispheres(input, &read.space, &renumbered, Some(only))
                    }
                    _ => Err(error),
                })?;
                for (hemisphere, of) in sides {
                    layers.push((hemisphere, of.iter().map(|v| if v.is_finite() { *v as u32 } else { 0 }).collect()));
                }
            }
        }
        Ok(Some((names, layers)))
    }
}

/// Three axes, each once.
fn ortho() -> Display {
    Display::Letters(vec!['x', 'y', 'z'])
}

fn sheet() -> Sheet {
    Sheet {
        title: String::new(),
        description: String::new(),
        rows: Vec::new(),
        bar: None,
        legend: Vec::new(),
        notes: Vec::new(),
        width: style::WIDE,
    }
}

fn plural(unit: &str) -> &str {
    if unit == "vertex" { "vertices" } else { "voxels" }
}

fn signed_value(v: f64) -> String {
    value(v).replace('-', "−")
}

/// The longest side of what holds these points.
fn length(points: &[[f64; 3]]) -> f64 {
    let side = |d: usize| {
        let all = points.iter().map(|point| point[d]);
        all.clone().fold(f64::NEG_INFINITY, f64::max) - all.fold(f64::INFINITY, f64::min)
    };
    (0..3).map(side).fold(0.0, f64::max)
}

/// The outlines of what regions cover of a picture that is looked through.
fn shadows(all: &Regions, lattice: &Lattice, plane: &Plane, side: f64) -> Vec<drawing::Line> {
    let axis = plane.direction.axis();
    let mut lines = Vec::new();
    let Some(extent) = lattice.extent_of(|voxel| all.layers.iter().any(|layer| layer[voxel] > 0)) else { return lines };
    let step = if lattice.is_upright() { lattice.finest() } else { lattice.finest() / 2.0 };
    let n_steps = ((extent.hi[axis] - extent.lo[axis]) / step).ceil() as usize;
    // One layer per region: their shadows overlap where they do not.
    let mut covered: Vec<Vec<u32>> = vec![vec![0; plane.n[0] * plane.n[1]]; all.names.len()];
    for (at, mut mm) in plane.pixels().enumerate() {
        for k in 0..n_steps {
            mm[axis] = extent.lo[axis] + (k as f64 + 0.5) * step;
            let Some(voxel) = lattice.voxel_at(mm).filter(|_| mm[0] * side >= 0.0) else { continue };
            for region in all.layers.iter().map(|layer| layer[voxel]).filter(|region| *region > 0) {
                covered[region as usize - 1][at] = region;
            }
        }
    }
    lines.extend(regions::lines(&all.names, &covered, plane.n[0], 0.0));
    lines
}

/// A map in another space does not lie where the template has what it shows.
fn warn_of_space(session: &Session, map: &Map, space: i16) {
    let other = match space {
        0 => {
            session.job.warn(format!(
                "{}: its header has neither sform nor qform, so that nothing says where it lies in the template brain",
                map.input
            ));
            return;
        }
        1 => "the scanner's space",
        3 => "Talairach space",
        _ => return,
    };
    session.job.warn(format!(
        "{}: its header says that it is in {other}, and the template brain is in MNI space; places do not agree",
        map.input
    ));
}

/// Says which regions no pane shows, and takes them out of the legend.
fn say_unseen(session: &Session, names: &[String], sheet: &mut Sheet) {
    let drawn = |name: &&String| {
        sheet
            .rows
            .iter()
            .flatten()
            .flat_map(|pane| &pane.lines)
            .any(|line| line.class == "region" && line.name == **name)
    };
    let unseen: Vec<&str> = names.iter().filter(|name| !drawn(name)).map(String::as_str).collect();
    sheet.legend.retain(|item| !unseen.contains(&item.text.as_str()));
    if !unseen.is_empty() {
        let some = unseen.iter().take(5).copied().collect::<Vec<_>>().join(", ");
        let more = if unseen.len() > 5 { ", ..." } else { "" };
        session.job.note(format!(
            "{} of {} regions are in no picture ({some}{more}); other slices or sides may show them",
            unseen.len(),
            names.len()
        ));
    }
}
