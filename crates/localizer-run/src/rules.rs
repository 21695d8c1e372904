//! Options that say which units are selected.

use crate::LocalizerArgs;
use localizer::{Correction, Measure, Selection, Top, Versus, parse_area, parse_index, parse_rate, parse_threshold};

/// The field's threshold for voxels and units alike.
const DEFAULT_T: f64 = 7.0;
const DEFAULT_ALPHA: f64 = 0.05;

/// Selection rules; given together they must all hold, `--top` last.
#[derive(Debug, Clone, clap::Args)]
pub struct RuleArgs {
    /// Keep units with t above T [default: 7 when no other rule is given]
    #[arg(long, value_name = "T", allow_negative_numbers = true, value_parser = parse_threshold)]
    pub t: Option<f64>,
    /// Adjust p over the units of an array: bh, by (false discovery rate), bonferroni, none; keep units with q at most
    /// --alpha
    #[arg(long, visible_alias = "fdr", value_name = "METHOD")]
    pub correct: Option<Correction>,
    /// The rate of --correct [default: .05]
    #[arg(long, value_name = "ALPHA", requires = "correct", value_parser = parse_rate)]
    pub alpha: Option<f64>,
    /// Keep units with d' of at least D
    #[arg(long, value_name = "D", allow_negative_numbers = true, value_parser = parse_threshold)]
    pub dprime: Option<f64>,
    /// Keep units with a selectivity index (preferred - rest) / (|preferred| + |rest|) of at least S; 1/3 is twice the
    /// response
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = parse_index)]
    pub si: Option<f64>,
    /// Keep units whose mean response to the preferred pictures is at least R times that to the others
    #[arg(long, value_name = "R", value_parser = parse_threshold)]
    pub ratio: Option<f64>,
    /// Compute the ROC area, and keep units with at least A; needs all responses of a unit at once
    #[arg(long, value_name = "A", value_parser = parse_area)]
    pub auc: Option<f64>,
    /// Memory that all responses of a pipe may take, where ROC areas (or a choice by tuning) need them at once
    #[arg(long, value_name = "SIZE", default_value = "4G", value_parser = cli::parse_bytes)]
    pub mem: u64,
    /// Keep the N units (or P% of all units) with the highest --rank-by among those that pass the other rules
    #[arg(long, value_name = "N|P%")]
    pub top: Option<Top>,
    /// What --top ranks by: t, dprime, selectivity_index, ratio or auc
    #[arg(long, value_name = "MEASURE", default_value = "t", hide_default_value = true, requires = "top")]
    pub rank_by: Measure,
    /// Keep none when fewer than N units of an array pass
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub min_units: usize,
}

impl RuleArgs {
    /// The rules that were given; without any, the field's `t > 7`.
    pub fn selection(&self) -> Selection {
        let alpha = self.correct.map(|_| self.alpha.unwrap_or(DEFAULT_ALPHA));
        let others = [self.dprime, self.si, self.ratio, self.auc];
        let no_rule = alpha.is_none() && self.top.is_none() && others.iter().all(Option::is_none);
        Selection {
            t_above: self.t.or(no_rule.then_some(DEFAULT_T)),
            alpha,
            dprime: self.dprime,
            selectivity_index: self.si,
            ratio: self.ratio,
            auc: self.auc,
            top: self.top,
            rank_by: self.rank_by,
        }
    }

    /// Whether a rule needs ROC areas.
    pub fn needs_auc(&self) -> bool {
        self.auc.is_some() || (self.top.is_some() && self.rank_by == Measure::Auc)
    }

    /// The rules in words, for tables and sidecars: `student t > 7`.
    pub fn criterion(&self, localizer: &LocalizerArgs) -> String {
        let rules = self.selection();
        let mut words = Vec::new();
        if let Some(t) = rules.t_above {
            words.push(format!("t > {t}"));
        }
        if let (Some(alpha), Some(correction)) = (rules.alpha, self.correct) {
            words.push(format!("q <= {alpha} ({})", correction.as_str()));
        }
        let at_least = [
            (Measure::Dprime, rules.dprime),
            (Measure::SelectivityIndex, rules.selectivity_index),
            (Measure::Ratio, rules.ratio),
            (Measure::Auc, rules.auc),
        ];
        for (measure, bound) in at_least {
            words.extend(bound.map(|bound| format!("{} >= {bound}", measure.as_str())));
        }
        let by = if rules.rank_by == Measure::T { String::new() } else { format!(" by {}", rules.rank_by.as_str()) };
        match rules.top {
            Some(Top::Count(count)) => words.push(format!("top {count}{by}")),
            Some(Top::Percent(percent)) => words.push(format!("top {percent}%{by}")),
            None => {}
        }
        if self.min_units > 0 {
            words.push(format!("at least {} units", self.min_units));
        }
        if localizer.by_category.is_some() {
            words.push("means of categories".into());
        }
        if localizer.versus == Versus::Each {
            words.push("versus each".into());
        }
        format!("{} {}", localizer.test.as_str(), words.join(", "))
    }
}
