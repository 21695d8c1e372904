//! The responses of chosen units to the pictures of a stimulus table, and nothing else of the matrices.

use anyhow::{Context, Result, bail, ensure};
use array_inputs::{Called, JoinArgs, Names, Next, each_array, read_levels, read_table, require_room};
use cli::{Bytes, Input, Job, require_memory};
use localizer::LOOKS_MISSING;
use npy_stream::{Block, Incoming, Values};
use stimulus_table::TableJoin;
use unit_tables::{Sought, UnitTable};

/// Matrices, and the categories of their rows.
#[derive(Debug, clap::Args)]
pub(crate) struct Acts {
    /// Activations: .npy streams, rows = pictures, columns = units; - is stdin
    #[arg(default_value = "-", value_name = "ACTS")]
    pub inputs: Vec<Input>,
    /// Stimulus table (CSV or TSV) with the category of every picture
    #[arg(long, value_name = "TABLE")]
    pub stimuli: Input,
    /// The column of that table with the categories
    #[arg(long, value_name = "COLUMN")]
    pub by: String,
    /// Of a cross-validated table of units, take this fold
    #[arg(long, value_name = "FOLD")]
    pub fold: Option<String>,
    /// ACTS holds the columns of --units only, ascending, as `ann-acts --units` writes them
    #[arg(long)]
    pub chosen_only: bool,
    /// Names of the arrays in the order they come [default: their own, else file stem, position in a pipe]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub names: Vec<String>,
    /// Most memory that the responses of the chosen units may take: 500M, 4G
    #[arg(long, value_name = "SIZE", default_value = "4G", value_parser = cli::parse_bytes)]
    pub mem: u64,
    #[command(flatten)]
    pub join: JoinArgs,
}

/// Bytes of rows taken from an input at a time; of very wide rows one row.
const BLOCK_BYTES: usize = 8 << 20;

/// The pictures and their categories.
pub(crate) struct Pictures {
    /// The id of every row of the table; of one of trials the same id in several.
    pub ids: Vec<String>,
    /// Where the table came from.
    source: String,
    /// Categories in the order of their first rows.
    pub categories: Vec<String>,
    /// Category of each row of the table; `None` where it is empty or n/a.
    category_of: Vec<Option<usize>>,
}

impl Pictures {
    /// Reads the stimulus table; at least `least` categories.
    pub fn read(job: &Job, args: &Acts, least: usize) -> Result<Pictures> {
        let table = read_table(job, &args.stimuli)?;
        let ids = table.ids().with_context(|| args.stimuli.to_string())?.1.to_vec();
        let column = read_levels(job, &table, &args.stimuli.to_string(), &args.by)?;
        let mut categories: Vec<String> = Vec::new();
        let category_of = column
            .iter()
            .map(|cell| match cell.as_str() {
                "" => None,
                name => Some(categories.iter().position(|c| c == name).unwrap_or_else(|| {
                    categories.push(name.to_owned());
                    categories.len() - 1
                })),
            })
            .collect();
        let (source, by) = (args.stimuli.to_string(), &args.by);
        // As a category it would be compared, and count among "all others".
        if let Some(missing) = categories.iter().find(|c| LOOKS_MISSING.contains(&c.as_str())) {
            bail!(
                "{source}: column {by:?} has {missing:?}, which looks like a missing value but would be one of {} \
                 categories; leave those cells empty (or n/a)",
                categories.len()
            );
        }
        ensure!(
            categories.len() >= least,
            "{source}: column {by:?} has {} categories ({}); at least {least} are compared",
            categories.len(),
            categories.join(", ")
        );
        Ok(Pictures { ids, source, categories, category_of })
    }
}

/// The responses of some units of one array to the pictures that have a category.
pub(crate) struct Responses {
    /// Name of the array.
    pub array: String,
    /// Its name in the table of units; `None` where the table has no rows about it.
    pub named: Option<String>,
    /// Units of the array; `None` where only chosen ones came and the table does not say how many there were.
    pub n_units: Option<usize>,
    /// The units held, ascending.
    pub units: Vec<usize>,
    /// All rows x units held, row by row.
    values: Values,
    /// Rows of the matrix that are used, in the order of the stimulus table.
    rows: Vec<usize>,
    /// Row of the stimulus table of each of these.
    pub stimulus: Vec<usize>,
    /// Category of each.
    pub category: Vec<usize>,
}

impl Responses {
    /// How many pictures are used.
    pub fn n_pictures(&self) -> usize {
        self.rows.len()
    }

    /// Responses of the units at these places in `units`: one vector over the pictures used for each.
    pub fn at(&self, places: &[usize]) -> Vec<Vec<f64>> {
        let width = self.units.len();
        let mut columns: Vec<Vec<f64>> = places.iter().map(|_| Vec::with_capacity(self.rows.len())).collect();
        // Row by row, so that each row is fetched once for all units.
        for &row in &self.rows {
            let held = row * width..(row + 1) * width;
            let filled = columns.iter_mut().zip(places);
            match &self.values {
                Values::F4(v) => filled.for_each(|(column, place)| column.push(f64::from(v[held.clone()][*place]))),
                Values::F8(v) => filled.for_each(|(column, place)| column.push(v[held.clone()][*place])),
            }
        }
        columns
    }

    /// Place of a unit among those held.
    pub fn place_of(&self, unit: usize) -> Option<usize> {
        self.units.binary_search(&unit).ok()
    }
}

/// Reads arrays one after the other. Nothing may be written before [`Reader::finish`] has agreed.
pub(crate) struct Reader<'a> {
    job: &'a Job,
    args: &'a Acts,
    pictures: &'a Pictures,
    /// The chosen units; `None` for all.
    units: Option<&'a UnitTable>,
    held_bytes: u64,
    /// Names of the arrays that came, as the table has them where it speaks of them.
    came: Vec<String>,
    /// Whether the first array was taken for the table's only one although it has another name.
    renamed: bool,
}

impl<'a> Reader<'a> {
    pub fn new(job: &'a Job, args: &'a Acts, pictures: &'a Pictures, units: Option<&'a UnitTable>) -> Reader<'a> {
        Reader { job, args, pictures, units, held_bytes: 0, came: Vec::new(), renamed: false }
    }

    /// Calls `take` for every array. `keep` says that the caller holds on to all responses, so that their memory adds
    /// up.
    pub fn each(&mut self, keep: bool, mut take: impl FnMut(Responses)) -> Result<()> {
        let mut names = Names::distinct(&self.args.names).of_files(&self.args.inputs);
        each_array(self.job, &self.args.inputs, |Next { input, position, source, array }| {
            names.require(self.came.len(), input)?;
            let called = Called::new(input, position, None);
            let responses = self.array(&source, &mut names, called, array).with_context(|| source.clone())?;
            if !keep {
                self.held_bytes = 0;
            }
            take(responses);
            Ok(())
        })?;
        names.finish()?;
        self.finish()
    }

    /// Every array that the table names must have come.
    fn finish(&self) -> Result<()> {
        let Some(units) = self.units else { return Ok(()) };
        let lone = self.came.len() == 1 && self.renamed;
        let missing = units.arrays.iter().find(|(name, _)| !self.came.contains(name));
        if !lone && (missing.is_some() || self.renamed) {
            bail!(
                "{}: is about {}, but the {} arrays are {}; give the array that it is about, or names that match with \
                 --names",
                units.source,
                units.array_names(),
                self.came.len(),
                self.came.join(", ")
            );
        }
        let unknown: Vec<&str> = self.came.iter().filter(|name| !units.knows(name)).map(String::as_str).collect();
        if !lone && !unknown.is_empty() && !units.sets.is_empty() {
            self.job.warn(format!(
                "{}: is about {}; no units of {}, whose sets are empty",
                units.source,
                units.array_names(),
                unknown.join(", ")
            ));
        }
        Ok(())
    }

    /// The array of the table that is this one: that of its name; or the only one, for the only array there is (which
    /// [`Reader::finish`] makes sure of).
    fn name_in_table(&self, names: &Names, of_array: &[String]) -> Option<String> {
        // More inputs, names, or arrays in the file than one say that this is not the only array.
        let alone = self.args.inputs.len() == 1 && self.args.names.len() < 2 && names.n_looked_at() < 2;
        let sought = Sought { names: of_array, position: self.came.len(), alone };
        self.units?.name_of(sought).map(str::to_owned)
    }

    /// Holds an array of a pipe whose name decides which units are taken: it comes behind the rows.
    fn hold_for_its_name(&self, acts: &mut Incoming, source: &str, names: &Names) -> Result<()> {
        // Only the first array of all may be the one that a table is about whatever it is called.
        let decides = self.units.is_some_and(|units| units.arrays.len() > 1 || !self.came.is_empty());
        if !decides || names.are_given() || acts.parts().is_some() {
            return Ok(());
        }
        ensure!(
            acts.bytes_held() <= u128::from(self.args.mem),
            "a pipe brings its name last, which says what units are its own, so all of it is held: {}, but --mem allows \
             {}; give a file or --names, or raise --mem",
            Bytes(acts.bytes_held()),
            Bytes(self.args.mem.into())
        );
        require_room(acts, source, 0)?;
        Ok(acts.hold()?)
    }

    fn array(&mut self, source: &str, names: &mut Names, mut called: Called, mut acts: Incoming) -> Result<Responses> {
        let (n_rows, n_columns) = acts.matrix_shape()?;
        self.hold_for_its_name(&mut acts, source, names)?;
        // The labels of a file can be read before its rows, so a table that does not fit is refused early.
        let ahead = acts.labels_ahead()?;
        // The name of a pipe that is not held comes behind the rows; until then it goes by its place.
        let (mut name, mut in_tables) = (None, names.expected(&called));
        if let Some(labels) = &ahead {
            called.own.clone_from(&labels.name);
            let known = names.next(&called)?;
            in_tables = names.in_tables(&known, &called);
            name = Some(known);
        }
        let named = self.name_in_table(names, &in_tables);
        if self.units.is_none() {
            // Before a list of all units is made.
            self.check_memory(&acts, n_rows, n_columns, n_columns)?;
        }
        let units: Vec<usize> = match (self.units, &named) {
            (None, _) => (0..n_columns).collect(),
            (Some(table), Some(named)) => {
                let of_sets = table.sets_of(named).flat_map(|set| set.units.iter().map(|row| row.unit));
                let all: std::collections::BTreeSet<usize> = of_sets.collect();
                all.into_iter().collect()
            }
            (Some(_), None) => Vec::new(),
        };
        let n_units = match (self.units, &named) {
            (Some(table), Some(named)) if self.args.chosen_only => {
                ensure!(
                    n_columns == units.len(),
                    "{n_columns} columns, but {} chooses {} units of {named:?}; with --chosen-only there is one column \
                     for each",
                    table.source,
                    units.len()
                );
                table.n_units_of(named)
            }
            (Some(table), Some(named)) => {
                check_size(table, named, &units, n_columns)?;
                Some(n_columns)
            }
            (Some(_), None) if self.args.chosen_only => None,
            _ => Some(n_columns),
        };
        // Columns of the units held. With --chosen-only the k-th column is the k-th chosen unit.
        let columns: Vec<usize> = if self.args.chosen_only { (0..units.len()).collect() } else { units.clone() };
        if self.units.is_some() {
            self.check_memory(&acts, n_rows, n_columns, columns.len())?;
        }
        let early = ahead.map(|labels| self.join(source, n_rows, labels.ids.as_deref())).transpose()?;

        // --mem bounds what the header of a pipe can ask for.
        let n_values = n_rows * columns.len();
        let mut values = match acts.kind().is_double() {
            true => Values::F8(Vec::with_capacity(n_values)),
            false => Values::F4(Vec::with_capacity(n_values)),
        };
        let progress = self.job.progress(n_rows, "pictures");
        let block_rows = acts.rows_within(BLOCK_BYTES);
        while let Some(block) = acts.next_rows(block_rows)? {
            let rows = block.n_rows();
            match (block, &mut values) {
                (Block::F4(block), Values::F4(kept)) => {
                    block.rows().into_iter().for_each(|row| kept.extend(columns.iter().map(|column| row[*column])));
                }
                (Block::F8(block), Values::F8(kept)) => {
                    block.rows().into_iter().for_each(|row| kept.extend(columns.iter().map(|column| row[*column])));
                }
                _ => bail!("the width of its numbers changed within the array"),
            }
            progress.advance(rows);
        }
        let labels = acts.finish()?;
        let join = match early {
            Some(join) => join,
            None => self.join(source, n_rows, labels.ids.as_deref())?,
        };
        let name = match name {
            Some(name) => name,
            None => {
                called.own.clone_from(&labels.name);
                let known = names.next(&called)?;
                in_tables = names.in_tables(&known, &called);
                known
            }
        };
        if self.name_in_table(names, &in_tables) != named {
            bail!(
                "the array is called {name:?}, and {} is about {}; give the array that it is about, or its name with \
                 --names",
                self.units.map_or("the table", |units| units.source.as_str()),
                self.units.map(UnitTable::array_names).unwrap_or_default()
            );
        }
        if let Some(named) = named.as_ref().filter(|named| !in_tables.contains(named)) {
            self.renamed = true;
            self.job.note(format!("the units of array {named:?} are taken from array {name:?}, the only one there is"));
        }
        self.came.push(named.clone().filter(|named| in_tables.contains(named)).unwrap_or_else(|| name.clone()));
        if let Some(message) = &join.message {
            self.job.note(message);
        }
        let mut used: Vec<(usize, usize)> = Vec::new();
        for (row, stimulus) in join.rows.iter().enumerate() {
            if let Some(stimulus) = stimulus {
                used.push((*stimulus, row));
            }
        }
        // Sorted by the row of the table, so that the output does not depend on the order of the matrix's rows.
        used.sort_unstable();
        used.retain(|(stimulus, _)| self.pictures.category_of[*stimulus].is_some());
        ensure!(!used.is_empty(), "0 of {n_rows} rows have a category in {}", self.pictures.source);
        let category = used.iter().filter_map(|(stimulus, _)| self.pictures.category_of[*stimulus]).collect();
        let (stimulus, rows) = used.into_iter().unzip();
        Ok(Responses { array: name, named, n_units, units, values, rows, stimulus, category })
    }

    fn join(&self, source: &str, n_rows: usize, labels: Option<&[String]>) -> Result<TableJoin> {
        let table = (self.pictures.source.as_str(), self.pictures.ids.as_slice());
        let options = self.args.join.options();
        Ok(match labels {
            Some(labels) => TableJoin::labelled(source, labels, table, options)?,
            None => TableJoin::by_position(source, n_rows, table, false, options)?,
        })
    }

    /// Memory is counted before anything is read.
    fn check_memory(&mut self, acts: &Incoming, n_rows: usize, n_units: usize, n_held: usize) -> Result<()> {
        let width = if acts.kind().is_double() { 8 } else { 4 };
        let matrix = |columns: usize| (n_rows as u64).saturating_mul(columns as u64).saturating_mul(width);
        self.held_bytes = self.held_bytes.saturating_add(matrix(n_held));
        // A matrix in Fortran order is transposed as a whole: it is held twice.
        let row = (n_units as u64).saturating_mul(width);
        let passing = match acts.is_fortran() {
            true => matrix(n_units).saturating_mul(2),
            // Rows are read in small blocks, of one row at least.
            false if n_rows > 0 && row > BLOCK_BYTES as u64 => row,
            false => 0,
        };
        // The numbers of the units held, and of their columns.
        let numbers = (n_held as u64).saturating_mul(2 * size_of::<usize>() as u64);
        let needed = self.held_bytes.saturating_add(passing).saturating_add(numbers);
        ensure!(
            needed <= self.args.mem,
            "{n_held} units x {n_rows} rows (and what is held already) take {}, but --mem allows {}; choose fewer units \
             with --units, give fewer arrays at a time, or raise --mem",
            Bytes(needed.into()),
            Bytes(self.args.mem.into())
        );
        // --mem may allow more than the machine has free.
        let more = matrix(n_held).saturating_add(passing).saturating_add(numbers);
        require_memory(format!("{n_held} units x {n_rows} rows"), more.into(), "choose fewer units with --units")
    }
}

/// The array must have as many units as it had when they were selected.
fn check_size(table: &UnitTable, named: &str, units: &[usize], n_columns: usize) -> Result<()> {
    let hint = "were they selected from the same layer, pooled alike? (--chosen-only: ACTS holds nothing else)";
    if let Some(then) = table.n_units_of(named) {
        ensure!(
            then == n_columns,
            "{n_columns} columns, but {} chose from the {then} units of {named:?}; {hint}",
            table.source
        );
    }
    if let Some(last) = units.last() {
        ensure!(
            *last < n_columns,
            "{n_columns} columns (0 to {}), but unit {last} of {named:?} is chosen; {hint}",
            n_columns.saturating_sub(1)
        );
    }
    Ok(())
}

/// Reads the table of chosen units, when there is one.
pub(crate) fn read_units(job: &Job, units: Option<&Input>, fold: Option<&str>) -> Result<Option<UnitTable>> {
    match units {
        Some(input) => Ok(Some(UnitTable::read(job, input, fold)?)),
        None => {
            ensure!(fold.is_none(), "--fold chooses among the folds of --units, which is not given");
            Ok(None)
        }
    }
}
