//! The rows of `tuning diverge --group`: every effect, every test of it, and what each test generalizes to.

use super::MEAN;
use super::group_test::{Draw, TwoGroups, bootstrap, interval, one_sample_t, signs as signs_of};
use anyhow::Result;
use cli::{Format, Output, TableWriter};
use statistics::{Reason, mean};

/// One system as it is tested.
pub(crate) struct System {
    pub name: String,
    /// z of its profile over the part's stimuli, perhaps divided by the root of its reliability.
    pub z: Vec<f64>,
    pub reliability: Option<f64>,
    /// Why `z` is NaN.
    pub reason: Option<Reason>,
}

/// Signs of the overall effects: model, brain, interaction.
pub(crate) type Signs = [f64; 3];

/// One test of one effect.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct EffectRow {
    effect: &'static str,
    model: Option<String>,
    subject: Option<String>,
    estimate: f64,
    reliability: Option<f64>,
    test: &'static str,
    over: String,
    /// How many stimuli, subjects and models were drawn again; `None` for what was not.
    n: [Option<usize>; 3],
    n_same_sign: Option<usize>,
    se: f64,
    ci: Option<(f64, f64)>,
    t: Option<(f64, f64)>,
    p: f64,
    reason: Option<Reason>,
}

const COLUMNS: [&str; 21] = [
    "part",
    "contrast",
    "effect",
    "model",
    "subject",
    "estimate",
    "reliability",
    "test",
    "over",
    "n_stimuli",
    "n_subjects",
    "n_models",
    "n_same_sign",
    "se",
    "ci_lo",
    "ci_hi",
    "t",
    "df",
    "p",
    "n_boot",
    "reason",
];

impl EffectRow {
    pub(crate) fn table(out: Output, format: Format) -> Result<TableWriter<Output>> {
        Ok(TableWriter::new(out, format, &COLUMNS)?)
    }

    pub(crate) fn write(
        &self,
        table: &mut TableWriter<Output>,
        part: &str,
        contrast: &str,
        n_boot: usize,
    ) -> Result<()> {
        table.record(&[
            ("part", part.into()),
            ("contrast", contrast.into()),
            ("effect", self.effect.into()),
            ("model", self.model.as_ref().into()),
            ("subject", self.subject.as_ref().into()),
            ("estimate", self.estimate.into()),
            ("reliability", self.reliability.into()),
            ("test", self.test.into()),
            ("over", (&self.over).into()),
            ("n_stimuli", self.n[0].into()),
            ("n_subjects", self.n[1].into()),
            ("n_models", self.n[2].into()),
            ("n_same_sign", self.n_same_sign.into()),
            ("se", self.se.into()),
            ("ci_lo", self.ci.map(|ci| ci.0).into()),
            ("ci_hi", self.ci.map(|ci| ci.1).into()),
            ("t", self.t.map(|t| t.0).into()),
            ("df", self.t.map(|t| t.1).into()),
            ("p", self.p.into()),
            ("n_boot", self.ci.map(|_| n_boot).into()),
            ("reason", self.reason.into()),
        ])?;
        Ok(())
    }
}

/// What a test may generalize to.
const FACTORS: [&str; 3] = ["stimuli", "subjects", "models"];

/// An effect as a linear function of the systems' effects: which models it averages and which brains.
struct Effect {
    name: &'static str,
    /// Number of its overall sign.
    kind: usize,
    models: Vec<usize>,
    brains: Vec<usize>,
}

impl Effect {
    fn of(&self, models: &[f64], brains: &[f64]) -> f64 {
        let over = |values: &[f64], which: &[usize]| match which {
            [] => 0.0,
            [one] => values[*one],
            several => mean(&several.iter().map(|&i| values[i]).collect::<Vec<_>>()),
        };
        let (model, brain) = (over(models, &self.models), over(brains, &self.brains));
        if self.name == "brain" { brain } else { model - brain }
    }

    /// The effect in a draw, with the drawn systems in place of all of them where those are asked for.
    fn drawn(&self, draw: &Draw, models: bool, brains: bool) -> f64 {
        let again = Effect {
            name: self.name,
            kind: self.kind,
            models: if models { draw.drawn_models.clone() } else { self.models.clone() },
            brains: if brains { draw.drawn_brains.clone() } else { self.brains.clone() },
        };
        again.of(&draw.models, &draw.brains)
    }
}

/// Every effect with its tests: each system's, each pair's interaction, and their averages. `signs` are those of the
/// first part that was tested, set here when there are none yet.
pub(crate) fn effect_rows(
    models: &[System],
    brains: &[System],
    groups: &TwoGroups,
    n_boot: usize,
    seed: u64,
    signs: &mut Option<Signs>,
) -> Vec<EffectRow> {
    let z = |systems: &[System]| systems.iter().map(|s| s.z.clone()).collect::<Vec<_>>();
    let (of_models, of_brains) = (z(models), z(brains));
    let value = |z: &[Vec<f64>]| z.iter().map(|z| groups.difference(z)).collect::<Vec<f64>>();
    let (model_effects, brain_effects) = (value(&of_models), value(&of_brains));
    let draws = bootstrap(&of_models, &of_brains, groups, n_boot, seed);
    let (all_models, all_brains): (Vec<usize>, Vec<usize>) = ((0..models.len()).collect(), (0..brains.len()).collect());
    let overall = [mean(&model_effects), mean(&brain_effects), mean(&model_effects) - mean(&brain_effects)];
    let signs = *signs.get_or_insert_with(|| overall.map(|effect| signs_of(&[effect])[0]));

    let mut effects: Vec<Effect> = Vec::new();
    // One system each, then their average where there are several.
    let choices = |all: &[usize]| -> Vec<Vec<usize>> {
        let mut choices: Vec<Vec<usize>> = all.iter().map(|&i| vec![i]).collect();
        if all.len() > 1 {
            choices.push(all.to_vec());
        }
        choices
    };
    for models in choices(&all_models) {
        effects.push(Effect { name: "model", kind: 0, models, brains: Vec::new() });
    }
    for brains in choices(&all_brains) {
        effects.push(Effect { name: "brain", kind: 1, models: Vec::new(), brains });
    }
    for models in choices(&all_models) {
        for brains in choices(&all_brains) {
            effects.push(Effect { name: "interaction", kind: 2, models: models.clone(), brains });
        }
    }

    let name = |systems: &[System], which: &[usize]| match which {
        [] => None,
        [one] => Some(systems[*one].name.clone()),
        _ => Some(MEAN.to_owned()),
    };
    let mut rows = Vec::new();
    for effect in &effects {
        let used = || effect.models.iter().map(|&m| &models[m]).chain(effect.brains.iter().map(|&b| &brains[b]));
        let reason = used().find_map(|s| s.reason);
        let alone = (effect.models.len() + effect.brains.len() == 1).then(|| used().next()).flatten();
        let row = EffectRow {
            effect: effect.name,
            model: name(models, &effect.models),
            subject: name(brains, &effect.brains),
            estimate: effect.of(&model_effects, &brain_effects),
            reliability: alone.and_then(|s| s.reliability),
            reason,
            ..EffectRow::default()
        };
        let boot = |again_models: bool, again_brains: bool| {
            let values: Vec<f64> = draws.iter().map(|d| effect.drawn(d, again_models, again_brains)).collect();
            let found = interval(&values);
            let n = [Some(groups.n()), again_brains.then_some(brains.len()), again_models.then_some(models.len())];
            let over = FACTORS.iter().zip(n).filter(|(_, n)| n.is_some()).map(|(factor, _)| *factor);
            EffectRow {
                test: "bootstrap",
                over: over.collect::<Vec<_>>().join("+"),
                n,
                se: found.se,
                ci: Some(found.ci),
                p: found.p,
                ..row.clone()
            }
        };
        // The effect of each system of a factor, the others averaged as the effect says.
        let t = |factor: usize, values: Vec<f64>| {
            let found = one_sample_t(&values);
            EffectRow {
                test: "t",
                over: FACTORS[factor].into(),
                n: [0, 1, 2].map(|f| (f == factor).then_some(values.len())),
                n_same_sign: Some(signs_of(&values).into_iter().filter(|sign| *sign == signs[effect.kind]).count()),
                se: found.se,
                t: Some((found.t, found.df)),
                p: found.p,
                reason: row.reason.or(found.reason),
                ..row.clone()
            }
        };
        let with = |models: &[usize], brains: &[usize]| {
            let one = Effect { models: models.to_vec(), brains: brains.to_vec(), ..*effect };
            one.of(&model_effects, &brain_effects)
        };
        let (several_models, several_brains) = (effect.models.len() > 1, effect.brains.len() > 1);
        rows.push(boot(false, false));
        if several_brains {
            rows.push(t(1, all_brains.iter().map(|&b| with(&effect.models, &[b])).collect()));
        }
        if several_models {
            rows.push(t(2, all_models.iter().map(|&m| with(&[m], &effect.brains)).collect()));
        }
        if several_models || several_brains {
            rows.push(boot(several_models, several_brains));
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(name: &str, z: [f64; 4]) -> System {
        System { name: name.into(), z: z.to_vec(), reliability: None, reason: None }
    }

    #[test]
    fn effects_average_over_systems_and_name_their_factor() {
        let models = [system("m", [1.0, 1.0, 0.0, 0.0]), system("n", [3.0, 3.0, 0.0, 0.0])];
        let brains = [system("s", [0.5, 0.5, 0.0, 0.0])];
        let groups = TwoGroups { a: vec![0, 1], b: vec![2, 3] };
        let rows = effect_rows(&models, &brains, &groups, 100, 0, &mut None);
        let find = |effect: &str, model: Option<&str>, over: &str| {
            let wanted = |r: &&EffectRow| r.effect == effect && r.model.as_deref() == model && r.over == over;
            rows.iter().find(wanted).unwrap_or_else(|| panic!("{effect} {model:?} {over}"))
        };
        assert_eq!(find("model", Some("n"), "stimuli").estimate, 3.0);
        assert_eq!(find("brain", None, "stimuli").estimate, 0.5);
        assert_eq!(find("interaction", Some("m"), "stimuli").estimate, 0.5);
        // Interactions .5 and 2.5: mean 1.5, se 1, t 1.5 with 1 df.
        let over_models = find("interaction", Some(MEAN), "models");
        assert_eq!((over_models.estimate, over_models.se, over_models.t), (1.5, 1.0, Some((1.5, 1.0))));
        assert_eq!((over_models.n, over_models.n_same_sign), ([None, None, Some(2)], Some(2)));
        // Stimuli have no spread; models drawn twice give 0.5, 1.5 or 2.5.
        let both = find("interaction", Some(MEAN), "stimuli+models");
        assert_eq!((both.n, both.ci), ([Some(4), None, Some(2)], Some((0.5, 2.5))));
        assert_eq!(find("interaction", Some(MEAN), "stimuli").se, 0.0);
        // 2 single models and their mean with 1 + 3 tests, 1 brain, 3 interactions with 1, 1, 3 tests.
        assert_eq!(rows.len(), (2 + 3) + 1 + (2 + 3));
    }
}
