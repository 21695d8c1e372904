//! Sentences for a paper on what the records tell of, with the references that they need.

use std::collections::BTreeSet;

use super::folder::Record;
use super::history::{History, arguments, command_of};

/// A sentence per kind of step, in the order of an analysis, and the references of all.
pub(super) struct Methods {
    pub(super) sentences: Vec<String>,
    pub(super) references: Vec<&'static str>,
}

const BENJAMINI: &str =
    "Benjamini Y, Hochberg Y (1995). Controlling the false discovery rate. J R Stat Soc B 57:289-300.";
const FEDORENKO: &str = "Fedorenko E et al. (2010). New method for fMRI investigations of language: defining ROIs functionally in individual subjects. J Neurophysiol 104:1177-1194.";
const KANWISHER: &str = "Kanwisher N, McDermott J, Chun MM (1997). The fusiform face area. J Neurosci 17:4302-4311.";
const KRIEGESKORTE: &str =
    "Kriegeskorte N, Mur M, Bandettini P (2008). Representational similarity analysis. Front Syst Neurosci 2:4.";
const NILI: &str =
    "Nili H et al. (2014). A toolbox for representational similarity analysis. PLoS Comput Biol 10:e1003553.";
const WALTHER: &str = "Walther A et al. (2016). Reliability of dissimilarity measures for multi-voxel pattern analysis. NeuroImage 137:188-200.";
const ALLEN: &str = "Allen EJ et al. (2022). A massive 7T fMRI dataset to bridge cognitive neuroscience and artificial intelligence. Nat Neurosci 25:116-126.";
const SPEARMAN: &str = "Spearman C (1910). Correlation calculated from faulty data. Br J Psychol 3:271-295.";
const HOERL: &str = "Hoerl AE, Kennard RW (1970). Ridge regression. Technometrics 12:55-67.";
const NASELARIS: &str = "Naselaris T et al. (2011). Encoding and decoding in fMRI. NeuroImage 56:400-410.";
const FRISTON: &str = "Friston KJ et al. (1994). Statistical parametric maps in functional imaging: a general linear approach. Hum Brain Mapp 2:189-210.";
const SMITH: &str = "Smith SM, Nichols TE (2009). Threshold-free cluster enhancement. NeuroImage 44:83-98.";
const DIPANI: &str = "Dipani A, Ratan Murty NA (2026). bioRxiv 10.64898/2026.05.29.728609.";

/// All values of an option over the records, in order, as one text; empty where none has it.
fn given(records: &[&Record], option: &str) -> String {
    let values: BTreeSet<String> = records
        .iter()
        .flat_map(|record| {
            let all = arguments(record);
            let joined = format!("{option}=");
            let behind: Vec<String> = all
                .windows(2)
                .filter(|pair| pair[0] == option)
                .map(|pair| pair[1].to_owned())
                .chain(all.iter().filter_map(|argument| argument.strip_prefix(&joined).map(str::to_owned)))
                .collect();
            behind
        })
        .collect();
    values.into_iter().collect::<Vec<_>>().join("; ")
}

/// `text` with what was given in it, or nothing.
fn with(records: &[&Record], option: &str, before: &str, behind: &str) -> String {
    match given(records, option) {
        values if values.is_empty() => String::new(),
        values => format!("{before}{values}{behind}"),
    }
}

pub(super) fn methods(history: &History) -> Methods {
    let all: Vec<&Record> = history.steps.iter().flat_map(|step| step.records.iter().copied()).collect();
    let of = |command: &str| all.iter().copied().filter(|record| command_of(record) == command).collect::<Vec<_>>();
    let mut found = Methods { sentences: Vec::new(), references: Vec::new() };
    let versions: BTreeSet<&str> = all.iter().filter_map(|record| record.json["version"].as_str()).collect();
    if !all.is_empty() {
        let versions: Vec<&str> = versions.into_iter().collect();
        found.sentences.push(format!("All analyses were made with catsel {}.", versions.join(", ")));
    }
    let mut say = |command: &str, sentence: &dyn Fn(&[&Record]) -> String, references: &[&'static str]| {
        let records = of(command);
        if records.is_empty() {
            return;
        }
        found.sentences.push(sentence(&records));
        for reference in references {
            if !found.references.contains(reference) {
                found.references.push(reference);
            }
        }
    };
    say(
        "fmri-roi glm",
        &|r| {
            format!(
                "Responses were estimated with a general linear model of each voxel{}{}{}{}; runs were combined as fixed effects.",
                with(r, "--hrf", " (haemodynamic response: ", ")"),
                with(r, "--noise", ", with noise of the model ", ""),
                with(r, "--high-pass", ", drifts below ", " Hz taken out by cosines"),
                with(r, "--contrast", ", contrasts: ", ""),
            )
        },
        &[FRISTON],
    );
    say(
        "fmri-roi contrast",
        &|r| {
            let permuted =
                with(r, "--permutations", "; p values are corrected over voxels by ", " permutations of the maximum");
            format!("Contrasts were tested in every voxel{}{permuted}.", with(r, "--contrast", " (", ")"))
        },
        &[KANWISHER, SMITH],
    );
    say(
        "fmri-roi define",
        &|r| {
            format!(
                "Functional regions are the voxels{}{}{}.",
                with(r, "--t", " with t above ", ""),
                with(r, "--top", " with the highest t (", ")"),
                with(r, "--parcels", " within search spaces drawn from other people (", ")"),
            )
        },
        &[KANWISHER],
    );
    say(
        "fmri-roi gss",
        &|_| "Group parcels were found by the group-constrained subject-specific method.".into(),
        &[FEDORENKO],
    );
    say(
        "ann-acts",
        &|r| {
            format!(
                "Activations of the networks were read out in ONNX Runtime{}{}.",
                with(r, "--layer", " at the layers ", ""),
                with(r, "--preprocess", ", pictures prepared as ", " asks for")
            )
        },
        &[],
    );
    say(
        "select-units",
        &|r| {
            format!(
                "Category-selective units were chosen by the contrast that finds the regions{}{}{}{}.",
                with(r, "--contrast", ": ", ""),
                with(r, "--t", ", t above ", ""),
                with(r, "--correct", ", corrected by ", ""),
                with(r, "--top", ", the highest ", ""),
            )
        },
        &[DIPANI, BENJAMINI],
    );
    say(
        "tuning compare",
        &|r| {
            format!(
                "Univariate similarity is the correlation{} of the mean response of a model's units with that of a region, \
             picture by picture, divided by the root of the region's reliability where trials are repeated.",
                with(r, "--compare", " (", ")")
            )
        },
        &[SPEARMAN],
    );
    say(
        "rsa rdm",
        &|r| {
            format!(
                "Representational dissimilarity matrices hold the distance of every two pictures ({}).",
                Some(given(r, "--metric")).filter(|m| !m.is_empty()).unwrap_or_else(|| "1 - Pearson".into())
            )
        },
        &[KRIEGESKORTE, WALTHER],
    );
    say(
        "rsa compare",
        &|r| {
            format!(
                "Matrices were compared by {}{}.",
                Some(given(r, "--compare")).filter(|c| !c.is_empty()).unwrap_or_else(|| "pearson".into()),
                with(r, "--boot", ", with intervals over drawn ", ""),
            )
        },
        &[NILI],
    );
    say(
        "ceiling between",
        &|_| {
            "Human-human values are medians over each person's correlations with every other, corrected for noise where \
         trials are repeated, and the correlation with the mean of the others.".into()
        },
        &[DIPANI],
    );
    say(
        "ceiling within",
        &|_| {
            "Reliabilities of profiles and matrices are correlations of halves of the trials, stepped up by Spearman-Brown."
            .into()
        },
        &[SPEARMAN],
    );
    say("ceiling voxel", &|_| "Noise ceilings of voxels come from the variance of repeated pictures.".into(), &[ALLEN]);
    say("ceiling rdm", &|_| "Lower and upper bounds of matrices follow Nili and colleagues.".into(), &[NILI]);
    say(
        "encode fit",
        &|r| {
            format!(
                "Encoding models predict every voxel by regression ({}){}; scores are of held-out pictures.",
                Some(given(r, "--method")).filter(|m| !m.is_empty()).unwrap_or_else(|| "ridge".into()),
                with(r, "--cv", ", folds: ", ""),
            )
        },
        &[NASELARIS, HOERL],
    );
    say(
        "encode ablate",
        &|r| {
            format!(
                "Necessity and sufficiency of the chosen units: models of all units, without them, of them alone, and of \
             random sets of the same size{}.",
                with(r, "--draws", " (", " draws)")
            )
        },
        &[DIPANI],
    );
    let seeds = given(&all, "--seed");
    if !seeds.is_empty() {
        found.sentences.push(format!("Random numbers were drawn with the seeds {seeds}."));
    }
    found
}
