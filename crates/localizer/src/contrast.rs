//! Contrasts: in words ([`grammar`]), and met with an annotation column, whose rows they divide into groups.

mod grammar;

use std::fmt;
use std::str::FromStr;

use grammar::{joined, spelled};

/// How the other categories stand against the preferred one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Versus {
    /// All other categories together as one sample.
    Pooled,
    /// Each other category alone; a unit must beat every one (conjunction).
    Each,
}

impl FromStr for Versus {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "pooled" => Ok(Versus::Pooled),
            "each" => Ok(Versus::Each),
            _ => Err(format!("\"{name}\" is neither pooled nor each")),
        }
    }
}

impl fmt::Display for Versus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Versus::Pooled => "pooled",
            Versus::Each => "each",
        })
    }
}

/// What is wrong with a contrast, by itself or against the column it is asked of.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ContrastError {
    /// `rest` would count rows whose entry means that there is none.
    #[error(
        "`rest` would take in {rows} rows of {level:?}, which looks like a missing value; leave those cells empty (or n/a), or name the other levels"
    )]
    LooksMissing {
        /// The entry.
        level: String,
        /// Rows that have it.
        rows: usize,
    },
    /// More than one `>`, or none and no weights either.
    #[error(
        "contrast \"{text}\" has {count} \">\"; write one, as in 'faces > bodies,places', or weights, as in '2*adult - house - car'; a name that holds one stands in double quotes"
    )]
    NotOneComparison {
        /// The contrast as given.
        text: String,
        /// How many `>` it has.
        count: usize,
    },
    /// A side, or a place between commas, without a name.
    #[error("contrast \"{text}\" has an empty name {side} the \">\"; write it as 'faces > bodies,places'")]
    EmptyName {
        /// The contrast as given.
        text: String,
        /// `left of` or `right of`.
        side: &'static str,
    },
    /// Weights that do not cancel.
    #[error("the weights of contrast \"{text}\" sum to {sum}; they must sum to 0, as in '2*adult - house - car'")]
    WeightSum {
        /// The contrast as given.
        text: String,
        /// What its weights sum to.
        sum: f64,
    },
    /// A term that is no level with a weight.
    #[error(
        "contrast \"{text}\": \"{term}\" is no term; a term is 'faces', '2*faces' or '0.5*faces', with a weight that is finite and not 0"
    )]
    Term {
        /// The contrast as given.
        text: String,
        /// The term.
        term: String,
    },
    /// `--versus each` asked of weights.
    #[error(
        "\"{0}\" weighs its levels, so there is no \"each other\" to beat; leave out --versus each, or write 'faces > bodies,places'"
    )]
    WeightsVersusEach(String),
    /// A quote that is not closed, or stands inside a name.
    #[error("contrast \"{0}\" has an unbalanced double quote; quote a whole name")]
    Quote(String),
    /// `rest` where it cannot stand.
    #[error(
        "contrast \"{0}\" uses rest beside other names or on the left; rest stands alone on the right, as in 'faces > rest'"
    )]
    MisplacedRest(String),
    /// A level on both sides, or twice on one.
    #[error("\"{0}\" stands in the contrast twice; a level is on one side, once")]
    Overlap(String),
    /// A level that the column does not have.
    #[error("no level \"{name}\"; nearest is \"{nearest}\"; the column has {count}: {levels}")]
    UnknownLevel {
        /// The name in the contrast.
        name: String,
        /// The level spelled most like it.
        nearest: String,
        /// How many levels the column has.
        count: usize,
        /// The levels, in order of appearance.
        levels: String,
    },
    /// A column without any level.
    #[error("the annotation column has 0 levels in {0} rows; every entry is empty or n/a")]
    NoLevels(usize),
    /// `rest` of a column that has nothing else.
    #[error("rest is empty: the column's {0} levels are all on the left of the \">\"")]
    NothingElse(usize),
    /// `rest` where the column has a level of that name.
    #[error(
        "the column has a level \"rest\": write '\"rest\"' in quotes for that level, or list the levels that rest should mean"
    )]
    AmbiguousRest,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rest {
    Levels(Vec<String>),
    EveryOther,
}

/// What programs write into cells that hold no value and that is no missing cell here: spreadsheet errors, databases.
pub const LOOKS_MISSING: [&str; 11] =
    ["NULL", "null", "None", "<NA>", "NaT", "#N/A", "#NULL!", "#VALUE!", "#REF!", "#DIV/0!", "#NAME?"];

/// A contrast as written: preferred levels against others, or weights of levels.
///
/// ```
/// use localizer::{Contrast, Versus};
/// let contrast: Contrast = "adult, child > rest".parse().unwrap();
/// let groups = contrast.resolve(&["adult", "house", "child", "", "car"], Versus::Pooled).unwrap();
/// assert_eq!(groups.group_of_row, [Some(0), Some(1), Some(0), None, Some(1)]);
/// assert_eq!(groups.counts, [2, 2]);
/// assert_eq!(contrast.to_string(), "adult,child > rest");
/// let weighted: Contrast = "2*adult - house - car".parse().unwrap();
/// assert_eq!(weighted.preferred(), "adult");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Contrast {
    form: Form,
}

#[derive(Debug, Clone, PartialEq)]
enum Form {
    Sides {
        preferred: Vec<String>,
        rest: Rest,
    },
    /// Weight and level; at least one weight on either side of 0, all together 0.
    Weighted(Vec<(f64, String)>),
}

/// A contrast met with a column: which group each row belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct Groups {
    /// Group 0 is the preferred side; then one group for all others (pooled) or one per other level (each). With
    /// weights, one group per term.
    pub names: Vec<String>,
    /// One weight per group, where the contrast has weights: the positive ones sum to 1, the negative ones to -1.
    pub weights: Option<Vec<f64>>,
    /// Group of each row; `None` for rows the contrast does not use.
    pub group_of_row: Vec<Option<usize>>,
    /// Rows per group, in the order of `names`.
    pub counts: Vec<usize>,
}

impl Contrast {
    /// The group of every row of an annotation column.
    ///
    /// `annotations` has one entry per row. Errors name the levels the column has.
    pub fn resolve<S: AsRef<str>>(&self, annotations: &[S], versus: Versus) -> Result<Groups, ContrastError> {
        let mut levels: Vec<&str> = Vec::new();
        let mut level_of_row: Vec<Option<usize>> = Vec::with_capacity(annotations.len());
        for annotation in annotations {
            let name = annotation.as_ref().trim();
            level_of_row.push(if name.is_empty() {
                None
            } else {
                let known = levels.iter().position(|level| *level == name);
                Some(known.unwrap_or_else(|| {
                    levels.push(name);
                    levels.len() - 1
                }))
            });
        }
        if levels.is_empty() {
            return Err(ContrastError::NoLevels(annotations.len()));
        }
        let find = |name: &String| -> Result<usize, ContrastError> {
            levels.iter().position(|level| level == name).ok_or_else(|| unknown(name, &levels))
        };
        let (preferred, rest) = match &self.form {
            Form::Sides { preferred, rest } => (preferred, rest),
            Form::Weighted(_) if versus == Versus::Each => {
                return Err(ContrastError::WeightsVersusEach(self.to_string()));
            }
            Form::Weighted(terms) => {
                let of_term = terms.iter().map(|(_, level)| find(level)).collect::<Result<Vec<_>, _>>()?;
                let group = |level: usize| of_term.iter().position(|l| *l == level);
                let side = |sign: f64| terms.iter().map(|(w, _)| w * sign).filter(|w| *w > 0.0).sum::<f64>();
                let (positive, negative) = (side(1.0), side(-1.0));
                let scaled = |w: f64| if w > 0.0 { w / positive } else { w / negative };
                let weights = Some(terms.iter().map(|(weight, _)| scaled(*weight)).collect());
                let names = terms.iter().map(|(_, level)| spelled(level)).collect();
                return Ok(Groups::new(names, weights, level_of_row.iter().map(|l| l.and_then(group)).collect()));
            }
        };
        let preferred = preferred.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        let rest: Vec<usize> = match rest {
            Rest::Levels(names) => names.iter().map(find).collect::<Result<_, _>>()?,
            Rest::EveryOther if levels.contains(&"rest") => return Err(ContrastError::AmbiguousRest),
            Rest::EveryOther => {
                let rest: Vec<usize> = (0..levels.len()).filter(|l| !preferred.contains(l)).collect();
                refuse_missing(rest.iter().map(|l| levels[*l]), annotations)?;
                rest
            }
        };
        if rest.is_empty() {
            return Err(ContrastError::NothingElse(levels.len()));
        }

        let mut group_of_level: Vec<Option<usize>> = vec![None; levels.len()];
        for &level in &preferred {
            group_of_level[level] = Some(0);
        }
        for (place, &level) in rest.iter().enumerate() {
            group_of_level[level] = Some(match versus {
                Versus::Pooled => 1,
                Versus::Each => 1 + place,
            });
        }
        let name_of =
            |group: &[usize]| -> String { joined(&group.iter().map(|&l| levels[l].to_owned()).collect::<Vec<_>>()) };
        let mut names = vec![name_of(&preferred)];
        match versus {
            Versus::Pooled => names.push(name_of(&rest)),
            Versus::Each => names.extend(rest.iter().map(|&l| name_of(&[l]))),
        }
        Ok(Groups::new(names, None, level_of_row.iter().map(|level| level.and_then(|l| group_of_level[l])).collect()))
    }

    /// Every level of an annotation column against all others, in order of appearance.
    ///
    /// ```
    /// let all = localizer::Contrast::one_per_level(&["faces", "bodies", "", "faces"]).unwrap();
    /// assert_eq!(all[1].to_string(), "bodies > rest");
    /// ```
    pub fn one_per_level<S: AsRef<str>>(annotations: &[S]) -> Result<Vec<Contrast>, ContrastError> {
        let mut levels: Vec<String> = Vec::new();
        for name in annotations.iter().map(|a| a.as_ref().trim()).filter(|name| !name.is_empty()) {
            if !levels.iter().any(|level| level == name) {
                levels.push(name.to_owned());
            }
        }
        if levels.is_empty() {
            return Err(ContrastError::NoLevels(annotations.len()));
        }
        // Nobody wrote the word `rest`, so a level of that name is one like the others; its contrasts list their
        // levels.
        let listed = levels.iter().any(|level| level == "rest");
        if listed {
            refuse_missing(levels.iter().map(String::as_str), annotations)?;
        }
        let against_rest = |level: &String| {
            let others = || levels.iter().filter(|other| *other != level).cloned().collect();
            let rest = if listed { Rest::Levels(others()) } else { Rest::EveryOther };
            Contrast { form: Form::Sides { preferred: vec![level.clone()], rest } }
        };
        Ok(levels.iter().map(against_rest).collect())
    }

    /// The preferred side as written: the levels left of the `>`, or those with a positive weight. What two
    /// localizers have in common when their control categories differ.
    pub fn preferred(&self) -> String {
        match &self.form {
            Form::Sides { preferred, .. } => joined(preferred),
            Form::Weighted(terms) => {
                let positive = terms.iter().filter(|(weight, _)| *weight > 0.0);
                joined(&positive.map(|(_, level)| level.clone()).collect::<Vec<_>>())
            }
        }
    }
}

impl Groups {
    fn new(names: Vec<String>, weights: Option<Vec<f64>>, group_of_row: Vec<Option<usize>>) -> Groups {
        let mut counts = vec![0; names.len()];
        group_of_row.iter().flatten().for_each(|&group| counts[group] += 1);
        Groups { names, weights, group_of_row, counts }
    }
}

/// An error when an entry that stands for no value would count among the others.
fn refuse_missing<'a, S: AsRef<str>>(
    mut others: impl Iterator<Item = &'a str>,
    annotations: &[S],
) -> Result<(), ContrastError> {
    let Some(level) = others.find(|level| LOOKS_MISSING.contains(level)) else { return Ok(()) };
    let rows = annotations.iter().filter(|cell| cell.as_ref().trim() == level).count();
    Err(ContrastError::LooksMissing { level: level.to_owned(), rows })
}

fn unknown(name: &str, levels: &[&str]) -> ContrastError {
    let nearest = levels.iter().min_by_key(|level| edits(name, level)).copied().unwrap_or_default();
    ContrastError::UnknownLevel {
        name: name.to_owned(),
        nearest: nearest.to_owned(),
        count: levels.len(),
        // As a contrast has to write them: a name that holds a comma in quotes.
        levels: levels.iter().map(|level| spelled(level)).collect::<Vec<_>>().join(", "),
    }
}

/// Levenshtein distance, letters of either case alike.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMN: [&str; 7] = ["faces", "bodies", "faces", "places", "scrambled", "", " bodies "];

    fn resolve(text: &str, versus: Versus) -> Result<Groups, ContrastError> {
        text.parse::<Contrast>()?.resolve(&COLUMN, versus)
    }

    fn message(text: &str) -> String {
        resolve(text, Versus::Pooled).unwrap_err().to_string()
    }

    #[test]
    fn rest_does_not_take_in_missing_values_by_another_name() {
        let contrast: Contrast = "a > rest".parse().unwrap();
        let error = contrast.resolve(&["a", "b", "NULL", "NULL"], Versus::Pooled).unwrap_err();
        assert_eq!(error, ContrastError::LooksMissing { level: "NULL".into(), rows: 2 });
        // Empty is missing; a level that is named is taken at its word.
        assert_eq!(contrast.resolve(&["a", "b", "", " "], Versus::Pooled).unwrap().counts, [1, 1]);
        let named: Contrast = "a > b,None".parse().unwrap();
        assert_eq!(named.resolve(&["a", "b", "None", "None"], Versus::Pooled).unwrap().counts, [1, 3]);
        let all = Contrast::one_per_level(&["rest", "b", "#N/A"]);
        assert_eq!(all, Err(ContrastError::LooksMissing { level: "#N/A".into(), rows: 1 }));
    }

    #[test]
    fn pooled_and_each() {
        let pooled = resolve("faces > bodies,places", Versus::Pooled).unwrap();
        let f = Some(0);
        assert_eq!(pooled.names, ["faces", "bodies,places"]);
        assert_eq!(pooled.group_of_row, [f, Some(1), f, Some(1), None, None, Some(1)]);
        assert_eq!(pooled.counts, [2, 3]);
        let each = resolve("  faces>places ,bodies ", Versus::Each).unwrap();
        assert_eq!(each.names, ["faces", "places", "bodies"]);
        assert_eq!(each.group_of_row, [f, Some(2), f, Some(1), None, None, Some(2)]);
        assert_eq!(each.counts, [2, 1, 2]);
    }

    #[test]
    fn rest_is_every_other_level() {
        let each = resolve("bodies,faces > rest", Versus::Each).unwrap();
        assert_eq!(each.names, ["bodies,faces", "places", "scrambled"]);
        assert_eq!(each.counts, [4, 1, 1]);
        let only = "a > rest".parse::<Contrast>().unwrap().resolve(&["a", "a"], Versus::Pooled);
        assert_eq!(only, Err(ContrastError::NothingElse(1)));
    }

    #[test]
    fn names_with_spaces_hyphens_and_quotes() {
        let column = ["human face", "non-human", "a,b", "x > y", "rest"];
        let of = |text: &str| {
            let contrast = text.parse::<Contrast>()?;
            assert_eq!(contrast.to_string().parse::<Contrast>()?, contrast);
            contrast.resolve(&column, Versus::Pooled)
        };
        assert_eq!(of("human face > non-human").unwrap().counts, [1, 1]);
        assert_eq!(of("\"a,b\",\"x > y\" > \"rest\"").unwrap().group_of_row[4], Some(1));
        assert_eq!(of("human face > rest"), Err(ContrastError::AmbiguousRest));
    }

    #[test]
    fn letters_of_every_script_are_letters() {
        let names = [
            "église",
            "e\u{301}glise",
            "haus-ä",
            "Дом",
            "σπίτι",
            "بيت",
            "בית",
            "घर",
            "บ้าน",
            "房子",
            "顔",
            "집",
            "👩‍👩‍👧",
            "a -é",
            "- ä",
            "ä -",
            "顔 - 家",
            "a\u{a0}-\u{a0}b",
            "ß>ẞ",
            "\"顔\"",
            "5\" ö",
            "rest",
        ];
        for (i, name) in names.iter().enumerate() {
            let contrasts = Contrast::one_per_level(&names).unwrap();
            let read: Contrast = contrasts[i].to_string().parse().unwrap();
            assert_eq!(read, contrasts[i]);
            assert_eq!(read.resolve(&names, Versus::Each).unwrap().counts, vec![1; names.len()], "{name}");
            let other = names[(i + 1) % names.len()];
            let weighted = format!("2*{} - 2*{}", spelled(name), spelled(other));
            assert_eq!(weighted.parse::<Contrast>().unwrap().preferred(), spelled(name));
            assert!(
                format!("{name}x > ö").parse::<Contrast>().is_ok_and(|c| c.resolve(&names, Versus::Each).is_err())
                    || name.contains(['"', '>'])
            );
        }
    }

    #[test]
    fn a_level_called_rest_needs_no_quotes_when_nobody_wrote_one() {
        let all = Contrast::one_per_level(&["face", "rest", "house"]).unwrap();
        let spelled: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(spelled, ["face > \"rest\",house", "\"rest\" > face,house", "house > face,\"rest\""]);
        assert_eq!(all[1].resolve(&["face", "rest", "house"], Versus::Pooled).unwrap().counts, [1, 2]);
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(
            message("faces > boddies"),
            "no level \"boddies\"; nearest is \"bodies\"; the column has 4: faces, bodies, places, scrambled"
        );
        assert_eq!(
            message("faces > faces,bodies"),
            "\"faces\" stands in the contrast twice; a level is on one side, once"
        );
        assert_eq!(
            message("faces bodies"),
            "contrast \"faces bodies\" has 0 \">\"; write one, as in 'faces > bodies,places', or weights, as in '2*adult - house - car'; a name that holds one stands in double quotes"
        );
        assert_eq!(
            message("a > b > c"),
            "contrast \"a > b > c\" has 2 \">\"; write one, as in 'faces > bodies,places', or weights, as in '2*adult - house - car'; a name that holds one stands in double quotes"
        );
        assert_eq!(
            message("faces > "),
            "contrast \"faces > \" has an empty name right of the \">\"; write it as 'faces > bodies,places'"
        );
        assert!(message(" > faces").contains("left of"));
        assert!(message("faces > bodies,,places").contains("right of"));
        assert!(message("rest > faces").contains("rest stands alone"));
        assert!(message("faces > rest,bodies").contains("rest stands alone"));
        assert!(message("faces > \"bodies").contains("unbalanced"));
        let empty = "a > b".parse::<Contrast>().unwrap().resolve(&["", " "], Versus::Pooled);
        assert_eq!(empty, Err(ContrastError::NoLevels(2)));
    }

    #[test]
    fn weights_of_levels() {
        let column = ["adult", "house", "car", "non-human", "x - y", "2*z"];
        let of = |text: &str| {
            let contrast = text.parse::<Contrast>()?;
            assert_eq!(contrast.to_string().parse::<Contrast>()?, contrast, "{contrast}");
            contrast.resolve(&column, Versus::Pooled).map(|g| (g.names, g.weights.unwrap()))
        };
        let named = |text: &str| of(text).unwrap().0.join("|");
        assert_eq!(
            of("2*adult - house - car").unwrap(),
            (vec!["adult".to_owned(), "house".into(), "car".into()], vec![1.0, -0.5, -0.5])
        );
        assert_eq!(of("adult*2 - house - car"), of("2*adult - house - car"));
        assert_eq!(of("- house + adult").unwrap().1, [-1.0, 1.0]);
        assert_eq!(of("-house + adult").unwrap().1, [-1.0, 1.0]);
        // .333 three times is a third three times.
        assert_eq!(
            of("adult - .333*house - .333*car - .333*non-human").unwrap().1,
            [1.0, -1.0 / 3.0, -1.0 / 3.0, -1.0 / 3.0]
        );
        assert_eq!(named("non-human - \"x - y\""), "non-human|\"x - y\"");
        assert_eq!(named("\"2*z\" - car"), "\"2*z\"|car");
        let text = |wrong: &str| of(wrong).unwrap_err().to_string();
        assert!(text("2*adult - house").contains("sum to 1;"), "{}", text("2*adult - house"));
        assert!(text("adult + house").contains("sum to 2;"));
        for wrong in [
            "0*adult - 0*house",
            "nan*adult - house",
            "adult - 2*3*house",
            "adult - ",
            "adult - house,car",
            "2* - house",
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
        assert_eq!(of("adult - adult"), Err(ContrastError::Overlap("adult".into())));
        assert_eq!(of("adult - rest"), Err(ContrastError::MisplacedRest("adult - rest".into())));
        assert!(text("adult - hause").contains("nearest is \"house\""));
        let each = "adult - house".parse::<Contrast>().unwrap().resolve(&column, Versus::Each);
        assert_eq!(each, Err(ContrastError::WeightsVersusEach("adult - house".into())));
        assert_eq!("adult,house > car".parse::<Contrast>().unwrap().preferred(), "adult,house");
    }

    #[test]
    fn distance_between_words() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("Faces", "faces"), 0);
        assert_eq!(edits("", "abc"), 3);
    }
}
