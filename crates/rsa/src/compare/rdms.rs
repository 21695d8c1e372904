//! Systems that are RDMs: compared as they are, with controls, or by their second moments.

use super::args::CompareArgs;
use super::fitted::read_components;
use super::measure::{Bures, Measure};
use super::system::{Content, Score, Scorer, Systems, WholeRdms};
use anyhow::{Result, anyhow, bail};
use array_inputs::tell_names_apart;
use cli::{Input, Job};
use ndarray::Array2;
use rayon::prelude::*;
use rdm::{
    Comparison, ControlledSide, ModelKind, NoSecondMoment, Rdm, Scale, SecondMoment, bures_similarity,
    bures_squared_distance, compare_partial,
};
use rdm_inputs::{NamedRdm, check_nan, into_one_order, read_rdms, read_sigma_k, say_broken_ties, say_constant};
use statistics::Reason;
use std::path::Path;

/// Reads models, brains and controls, brains first, in the order of the first brain.
pub(super) fn read(job: &Job, args: &CompareArgs) -> Result<Systems> {
    // No input would mean stdin.
    let some = |inputs: &[Input], names: &[String]| match inputs {
        [] => Ok(Vec::new()),
        inputs => read_rdms(job, inputs, names),
    };
    let mut all = some(&args.brain, &args.brain_names)?;
    let n_brains = all.len();
    let (models, counts) = match args.model {
        ModelKind::Fixed => (some(args.model_inputs(), &args.names)?, Vec::new()),
        _ => read_components(job, args)?,
    };
    all.extend(models);
    let n_systems = all.len();
    if args.systems.all_pairs {
        let mut names: Vec<String> = all.iter().map(|s| s.name.clone()).collect();
        // A model and a brain may have one name of their own: then both are called as their files are.
        let shared = |named: &NamedRdm| {
            named.own.as_ref() == Some(&named.name) && all.iter().filter(|other| other.name == named.name).count() > 1
        };
        for (name, named) in names.iter_mut().zip(&all).filter(|(_, named)| shared(named)) {
            if let Some(stem) = Path::new(&named.source).file_stem() {
                *name = stem.to_string_lossy().into_owned();
            }
        }
        let sources: Vec<&str> = all.iter().map(|s| s.source.as_str()).collect();
        tell_names_apart(&mut names, &sources)?;
        all.iter_mut().zip(names).for_each(|(system, name)| system.name = name);
    }
    if let Some((option, controls)) = args.systems.controls() {
        let controls = some(controls, &[])?;
        job.record(option, controls.iter().map(|c| c.name.clone()).collect::<Vec<_>>());
        all.extend(controls);
    }
    let compare = match args.systems.controls() {
        Some((option, _)) => format!("{option}-{}", args.compare),
        None => args.compare.to_string(),
    };
    job.record("compare", compare.as_str());
    into_one_order(job, args.join, &mut all)?;
    let sigma = match &args.sigma_k {
        Some(input) => Some(read_sigma_k(job, input, args.join, &mut all)?),
        None => None,
    };
    for named in &all {
        check_nan(job, &named.source, &named.rdm, why(args.compare), args.allow_nan)?;
    }
    let controls = all.split_off(n_systems);
    if let Some(flat) = controls.iter().find(|c| c.rdm.reason() == Some(Reason::Constant)) {
        bail!("{}: this control is constant, so it explains nothing; leave it out", flat.source);
    }
    let has_no_score = |rdm: &Rdm| match args.compare {
        Measure::Rdms(how) => rdm.reason_under(how) == Some(Reason::Constant),
        // Equal distances are a simplex; only without any is there nothing to compare, and even then a distance.
        Measure::Bures(Bures::Similarity) => rdm.reason_under(Comparison::Cosine) == Some(Reason::Constant),
        _ => false,
    };
    for named in all.iter().filter(|named| has_no_score(&named.rdm)) {
        say_constant(job, &named.source, &named.rdm, "it has no score");
    }
    if matches!(args.compare, Measure::Rdms(how) if how.ranks()) {
        let rdms = all.iter().chain(&controls).map(|named| (named.source.as_str(), &named.rdm));
        say_broken_ties(job, rdms, "rank comparisons");
    }
    let mut components: Vec<Vec<Rdm>> = Vec::new();
    let mut component_names = Vec::new();
    if args.model != ModelKind::Fixed {
        // The first component bears the name of its model, and stands for it.
        let mut rest = all.split_off(n_brains).into_iter();
        for count in counts {
            let group: Vec<NamedRdm> = rest.by_ref().take(count).collect();
            components.push(group.iter().map(|component| component.rdm.clone()).collect());
            component_names.push(group.iter().map(|component| component.own.clone()).collect());
            all.extend(group.into_iter().next());
        }
    }
    let names = all.iter().map(|s| s.name.clone()).collect();
    let sources = all.iter().map(|s| s.source.clone()).collect();
    let n_stimuli = all[0].rdm.n_stimuli();
    let constant = all.iter().map(|s| has_no_score(&s.rdm)).collect();
    let content = match (args.compare, args.systems.controls()) {
        (Measure::Rdms(how), Some((option, _))) => {
            let side = if option == "partial" { ControlledSide::Both } else { ControlledSide::Model };
            let scale = if how == Comparison::Spearman { Scale::Ranks } else { Scale::Values };
            Content::Other { score: partial(all, controls, side, scale), together: true }
        }
        (Measure::Rdms(how), None) => {
            let rdms = all.into_iter().map(|system| system.rdm).collect();
            Content::Whole(WholeRdms { rdms, how, sigma, components, component_names })
        }
        (Measure::Bures(scale), _) => Content::Other { score: bures(job, all, scale)?, together: false },
        (Measure::Matrices(_) | Measure::Alignment(_), _) => bail!("matrices are not read as RDMs"),
    };
    Ok(Systems { names, sources, n_brains, n_stimuli, compare, constant, content })
}

fn why(measure: Measure) -> &'static str {
    match measure {
        Measure::Bures(_) => "; --compare bures needs all pairs and gives NaN",
        _ => "; left out and counted in n_pairs",
    }
}

fn partial(all: Vec<NamedRdm>, controls: Vec<NamedRdm>, side: ControlledSide, scale: Scale) -> Scorer {
    let controls: Vec<Rdm> = controls.into_iter().map(|c| c.rdm).collect();
    Box::new(move |rows, columns| {
        let chosen = |some: &[usize]| -> Vec<Rdm> { some.iter().map(|&k| all[k].rdm.clone()).collect() };
        let scores = compare_partial(&chosen(rows), &chosen(columns), &controls, side, scale)?;
        Ok(scores.mapv(|s| Score { value: s.value, n_pairs: Some(s.n_pairs), reason: s.reason }))
    })
}

fn bures(job: &Job, all: Vec<NamedRdm>, scale: Bures) -> Result<Scorer> {
    let moments: Vec<Result<SecondMoment, NoSecondMoment>> =
        all.par_iter().map(|named| SecondMoment::of(&named.rdm)).collect();
    for (named, moment) in all.iter().zip(&moments) {
        match moment {
            Err(error @ NoSecondMoment::NotEuclidean { .. }) => {
                job.warn(format!("{}: {error}; its --compare bures is NaN", named.source));
            }
            Err(error @ NoSecondMoment::NoConvergence { .. }) => return Err(anyhow!("{}: {error}", named.source)),
            // Counted when the RDMs were checked.
            Err(NoSecondMoment::Missing { .. }) | Ok(_) => {}
        }
    }
    let n_pairs = all[0].rdm.values().len();
    let one = move |a: &Result<SecondMoment, NoSecondMoment>, b: &Result<SecondMoment, NoSecondMoment>| {
        let (value, reason) = match (a, b) {
            (Err(error), _) | (_, Err(error)) => (
                f64::NAN,
                Some(match error {
                    NoSecondMoment::Missing { .. } => Reason::NanInput,
                    _ => Reason::NotEuclidean,
                }),
            ),
            (Ok(a), Ok(b)) => match scale {
                Bures::Similarity if a.is_zero() || b.is_zero() => (f64::NAN, Some(Reason::Constant)),
                Bures::Similarity => (bures_similarity(a, b), None),
                Bures::Squared => (bures_squared_distance(a, b), None),
                Bures::Distance => (bures_squared_distance(a, b).sqrt(), None),
            },
        };
        Score { value, n_pairs: Some(n_pairs), reason }
    };
    Ok(Box::new(move |rows, columns| {
        let pairs = (0..rows.len() * columns.len()).into_par_iter();
        let at = |k: usize| one(&moments[rows[k / columns.len()]], &moments[columns[k % columns.len()]]);
        Ok(Array2::from_shape_vec((rows.len(), columns.len()), pairs.map(at).collect())?)
    }))
}
