//! `rsa compare`: model RDMs against brain RDMs.

use crate::fitted;
use crate::inference::{self, Inference, Scores, Scoring, subjects_in_use};
use crate::{CompareArgs, Measure};
use anyhow::{Result, anyhow, bail};
use cli::{Cell, Job, TableWriter};
use rdm::{Compared, ModelKind, NoiseCeiling, Rdm, compare_all_under, noise_ceiling_under};
use rdm_inputs::{Kind, NamedRdm, check_nan, column, into_one_order, read_rdms, say_broken_ties, say_constant};
use statistics::{Reason, mean, rounding};

/// Open, read, join by id, compare, write.
pub(crate) fn run(args: &CompareArgs) -> Result<()> {
    let Measure::Rdms(how) = args.compare else { return crate::systems::run(args) };
    if args.input_is == Some(Kind::Patterns) {
        bail!("--input-is patterns: --compare {how} is for RDMs; make them with `rsa rdm`, or take --compare cka");
    }
    let mut job = Job::start("rsa", &args.common)?;
    if args.inference.pairwise.is_some() {
        job = job.with_provenance();
    }
    let out = job.text_output(args.common.output.as_deref())?;
    args.inference.check(args.common.output.as_deref())?;
    let pairwise = args.inference.pairwise.as_deref().map(|file| job.text_output(Some(file))).transpose()?;
    job.record("compare", args.compare.as_str());
    let brains = read_rdms(&job, &args.brain, &args.brain_names)?;
    let (models, counts) = fitted::read(&job, args)?.split();
    let n_brains = brains.len();
    if let Some(brain) = brains.iter().find(|b| b.name == "mean") {
        bail!(
            "{}: a subject named \"mean\" could not be told from the rows of the mean over subjects; name the \
             {n_brains} subjects with --brain-names",
            brain.source
        );
    }
    if args.ceiling && n_brains < 2 {
        bail!("{}: 1 brain RDM; --ceiling is over subjects and needs at least 2", brains[0].source);
    }

    // One list, brains first: every RDM comes into the order of the first brain.
    let mut all: Vec<NamedRdm> = brains.into_iter().chain(models).collect();
    into_one_order(&job, args.join, &mut all)?;
    let sigma = crate::sigma_k::read(&job, args, &mut all)?;
    for named in &all {
        check_nan(&job, &named.source, &named.rdm, "; left out and counted in n_pairs", args.allow_nan)?;
    }
    let has_no_score = |named: &NamedRdm| named.rdm.reason_under(how) == Some(Reason::Constant);
    for named in all.iter().filter(|named| has_no_score(named)) {
        say_constant(&job, &named.source, &named.rdm, "it has no score");
    }
    if how.ranks() {
        say_broken_ties(&job, all.iter().map(|named| (named.source.as_str(), &named.rdm)), "rank comparisons");
    }
    let (all_brains, models) = all.split_at(n_brains);
    inference::check(args, all_brains)?;
    // Means, bounds, fits and draws are over the subjects that can be compared with something.
    let used = subjects_in_use(&job, &all_brains.iter().map(has_no_score).collect::<Vec<bool>>());
    let some: Vec<NamedRdm>;
    let brains = match used.len() == n_brains {
        true => all_brains,
        false => {
            some = used.iter().map(|&s| all_brains[s].clone()).collect();
            &some
        }
    };
    let brain_rdms: Vec<Rdm> = brains.iter().map(|b| b.rdm.clone()).collect();
    let models = fitted::group(models, &counts);
    let model_rdms: Vec<Rdm> = models.shown.iter().map(|m| m.rdm.clone()).collect();

    let folding = (args.model != ModelKind::Fixed).then(|| fitted::folding(args, brains)).transpose()?;
    inference::cautions::say(&job, args, how, brains, &models.shown, folding);
    let resampling = match folding {
        Some(_) => fitted::resampling(args, brains, &models)?,
        None => None,
    };
    let (scores, ceiling) = match folding {
        None => {
            let scores = compare_all_under(&model_rdms, &brain_rdms, how, sigma.as_ref())?;
            let bounds = args
                .ceiling
                .then(|| match brain_rdms.len() {
                    1 => Ok(NoiseCeiling::none(1)),
                    _ => noise_ceiling_under(&brain_rdms, how, sigma.as_ref()),
                })
                .transpose()
                .map_err(|error| anyhow!("--ceiling: {error}"))?;
            for &s in bounds.iter().flat_map(|bounds| &bounds.constant).filter(|s| !has_no_score(&brains[**s])) {
                job.warn(format!(
                    "{}: is constant over the pairs that all {} subjects have; it is left out of the bounds",
                    brains[s].source,
                    brains.len()
                ));
            }
            (scores, bounds)
        }
        Some(folding) => {
            job.record("seed", folding.seed);
            let held_out = fitted::score(args, how, &models, &brain_rdms, folding)?;
            (held_out.scores, held_out.ceiling)
        }
    };

    let by_subject: Vec<Vec<f64>> = scores.rows().into_iter().map(|r| r.iter().map(|s| s.value).collect()).collect();
    let means: Vec<f64> = by_subject.iter().map(|values| mean(values)).collect();
    let reasons = scores.rows().into_iter().map(|row| row.iter().find_map(reason)).collect();
    let known = Scores { by_subject, means, reasons, rounding: rounding::OF_SCORES, ceiling: ceiling.as_ref() };
    let scoring = Scoring { how, sigma: sigma.as_ref(), fitted: resampling.as_ref() };
    let inference = Inference::of(&job, args, &model_rdms, &brain_rdms, scoring, &known)?;

    let mut columns = vec!["model", "subject", "compare", "n_stimuli", "n_pairs", column(how), "lower", "upper"];
    columns.extend(folding.iter().flat_map(|_| fitted::columns(resampling.as_ref())));
    columns.extend(inference.columns());
    columns.push("reason");
    let mut table = TableWriter::new(out, args.format, &columns)?;
    let bound = |of: fn(&NoiseCeiling) -> f64| Cell::from(ceiling.as_ref().map(of));
    for (place, (model, scores)) in models.shown.iter().zip(scores.rows()).enumerate() {
        let n_stimuli = model.rdm.n_stimuli();
        let mut row = |subject: &str, n_pairs: usize, score: f64, bounds: [Cell; 2], reason: Option<Reason>| {
            let mut cells = vec![
                (&model.name).into(),
                subject.into(),
                how.as_str().into(),
                n_stimuli.into(),
                n_pairs.into(),
                score.into(),
            ];
            cells.extend(bounds);
            let n_components = models.groups[place].len();
            cells.extend(folding.iter().flat_map(|f| fitted::cells(args, n_components, *f, resampling.as_ref())));
            cells.extend(if subject == "mean" { inference.cells(place) } else { inference.empty() });
            cells.push(reason.map(Reason::as_str).into());
            table.row(&cells)
        };
        for (place, brain) in all_brains.iter().enumerate() {
            let Some(i) = used.iter().position(|&s| s == place) else {
                let both = |(a, b): &(&f64, &f64)| a.is_finite() && b.is_finite();
                let n_pairs = brain.rdm.values().iter().zip(model.rdm.values()).filter(both).count();
                let bounds =
                    [Cell::from(ceiling.as_ref().map(|_| f64::NAN)), Cell::from(ceiling.as_ref().map(|_| f64::NAN))];
                row(&brain.name, n_pairs, f64::NAN, bounds, Some(Reason::Constant))?;
                continue;
            };
            let score = &scores[i];
            let lower = Cell::from(ceiling.as_ref().map(|c| c.lower_by_subject[i]));
            let upper = Cell::from(ceiling.as_ref().map(|c| c.upper_by_subject[i]));
            row(&brain.name, score.n_pairs, score.value, [lower, upper], reason(score))?;
        }
        // The pairs that every term of the mean rests on; equal for all unless some are NaN.
        let n_pairs = scores.iter().map(|s| s.n_pairs).min().unwrap_or(0);
        let why = known.reasons[place].or(inference.reason(place));
        row("mean", n_pairs, known.means[place], [bound(|c| c.lower), bound(|c| c.upper)], why)?;
    }
    let names: Vec<&str> = models.shown.iter().map(|m| m.name.as_str()).collect();
    inference::write_pairwise(&job, args, pairwise, &inference, how.as_str(), &names, &known.means)?;
    table.into_inner().commit(&job)
}

pub(crate) fn reason(score: &Compared) -> Option<Reason> {
    match (score.value.is_nan(), score.n_pairs) {
        (false, _) => None,
        (true, 0) => Some(Reason::NanInput),
        (true, _) => Some(Reason::Constant),
    }
}
