//! Open, read, check, compute, write.

use crate::Args;
use crate::unit_table::{Layer, UnitTable};
use anyhow::{Result, bail};
use array_inputs::{Called, Names, Next, Stream, each_array};
use cli::{Input, Job};
use localizer_run::Plan;

/// Runs the tool.
pub fn run(args: Args) -> Result<()> {
    let job = Job::start("select-units", &args.common)?;
    let plan = args.localizer.plan(&job, args.join, args.cv.as_ref(), args.rules.correct, args.auc())?;
    job.record("rules", args.criterion());
    let mut twins = args.null.iter().map(|input| Twin::open(&job, input)).collect::<Result<Vec<_>>>()?;

    let mut names = Names::distinct(&args.names).of_files(&args.inputs);
    let mut table = UnitTable::new(&job, &args, &plan, names.of_columns_are_known())?;
    // An array is written when the next one has proved sound, so that what fails early writes nothing.
    let mut waiting: Option<Layer> = None;
    let mut n_arrays = 0;
    each_array(&job, &args.inputs, |Next { input, position, source, array }| {
        names.require(n_arrays, input)?;
        let measured = plan.measure(&job, &source, array)?;
        let name = names.next(&Called::new(input, position, measured.name()))?;
        let n_units = measured.n_units();
        let trained = (source.as_str(), measured.name());
        let twins = twins.iter_mut().map(|twin| twin.next(&job, &plan, trained, n_units));
        let twins = twins.collect::<Result<_>>()?;
        let layer = Layer { name, twins, measured };
        if let Some(layer) = waiting.replace(layer) {
            table.write(&job, &layer)?;
        }
        n_arrays += 1;
        Ok(())
    })?;
    names.finish()?;
    twins.iter_mut().try_for_each(|twin| twin.finish(n_arrays))?;
    if let Some(layer) = waiting {
        table.write(&job, &layer)?;
    }
    table.commit(&job)
}

/// An untrained twin, read array by array beside the network.
struct Twin<'a> {
    input: &'a Input,
    arrays: Stream<'a>,
    n_arrays: usize,
}

impl<'a> Twin<'a> {
    fn open(job: &Job, input: &'a Input) -> Result<Self> {
        Ok(Twin { input, arrays: Stream::open(job, input)?, n_arrays: 0 })
    }

    /// The twin of the next array of the network, whose source and own name are `trained`.
    fn next(
        &mut self,
        job: &Job,
        plan: &Plan,
        (trained, own): (&str, Option<&str>),
        n_units: usize,
    ) -> Result<localizer_run::Measured> {
        let Some(Next { source, array, .. }) = self.arrays.next_array()? else {
            bail!("{}: {} arrays, but {trained} is one more; --null needs the same layers", self.input, self.n_arrays);
        };
        self.n_arrays += 1;
        let measured = plan.measure(job, &source, array)?;
        if measured.n_units() != n_units {
            bail!("{source}: {} units, but {trained} has {n_units}; --null needs the same layers", measured.n_units());
        }
        if let (Some(ours), Some(theirs)) = (measured.name(), own)
            && ours != theirs
        {
            bail!("{source} is {ours:?}, but {trained} is {theirs:?}; --null needs the same layers in the same order");
        }
        Ok(measured)
    }

    fn finish(&mut self, n_arrays: usize) -> Result<()> {
        if self.arrays.next_array()?.is_some() {
            bail!("{}: more than {n_arrays} arrays, but ACTS has {n_arrays}; --null needs the same layers", self.input);
        }
        Ok(())
    }
}
