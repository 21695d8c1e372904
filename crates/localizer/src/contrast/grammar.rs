//! The contrast language, read and written: `'faces > bodies,places,objects'`, `'adult,child > rest'`, `'2*adult -
//! house - car'`.
//!
//! ```text
//! contrast = side ">" side | [sign] term { sign term }        side = level { "," level }
//! term = [number "*"] level | level "*" number                 sign = " + " | " - "
//! ```
//! A level is a name from the annotation column: letters, digits, spaces and hyphens stand for themselves, blanks
//! around it are dropped, and `"double quotes"` keep commas, `>`, `*` and signs; `""` inside them is one quote. `rest`
//! alone on the right means every other level of the column; `"rest"` in quotes is a level of that name. Empty entries
//! of the column are no level: such rows are not used. (What a table writes for a missing cell its reader makes empty.)
//!
//! Without a `>` the contrast is a weighted sum of the levels' means. Its signs have blanks on both sides, since names
//! hold hyphens, and its weights sum to 0, since a unit with one response to everything must get 0.

use std::fmt;
use std::str::FromStr;

use super::{Contrast, ContrastError, Form, Rest};

impl FromStr for Contrast {
    type Err = ContrastError;

    fn from_str(text: &str) -> Result<Self, ContrastError> {
        let sides = split_outside_quotes(text, '>')?;
        if let [sum] = sides.as_slice()
            && let Some(terms) = signed_terms(sum)
        {
            return weighted(text, terms);
        }
        let [left, right] = sides.as_slice() else {
            return Err(ContrastError::NotOneComparison { text: text.to_owned(), count: sides.len() - 1 });
        };
        let preferred = names(left, text, "left of")?;
        let rest = names(right, text, "right of")?;
        let is_rest = |name: &Name| !name.quoted && name.text == "rest";
        if preferred.iter().any(is_rest) || (rest.len() > 1 && rest.iter().any(is_rest)) {
            return Err(ContrastError::MisplacedRest(text.to_owned()));
        }
        let every_other = rest.iter().any(is_rest);
        let preferred: Vec<String> = preferred.into_iter().map(|n| n.text).collect();
        let rest: Vec<String> = rest.into_iter().map(|n| n.text).collect();
        let all: Vec<&String> =
            if every_other { preferred.iter().collect() } else { preferred.iter().chain(&rest).collect() };
        if let Some((_, twice)) = all.iter().enumerate().find(|(i, n)| all[..*i].contains(n)) {
            return Err(ContrastError::Overlap((*twice).clone()));
        }
        let rest = if every_other { Rest::EveryOther } else { Rest::Levels(rest) };
        Ok(Contrast { form: Form::Sides { preferred, rest } })
    }
}

impl fmt::Display for Contrast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.form {
            Form::Sides { preferred, rest } => {
                write!(f, "{} > ", joined(preferred))?;
                match rest {
                    Rest::EveryOther => f.write_str("rest"),
                    Rest::Levels(levels) => f.write_str(&joined(levels)),
                }
            }
            Form::Weighted(terms) => {
                for (place, (weight, level)) in terms.iter().enumerate() {
                    match (place, *weight < 0.0) {
                        (0, false) => {}
                        (0, true) => f.write_str("- ")?,
                        (_, false) => f.write_str(" + ")?,
                        (_, true) => f.write_str(" - ")?,
                    }
                    if weight.abs() != 1.0 {
                        write!(f, "{}*", weight.abs())?;
                    }
                    f.write_str(&spelled(level))?;
                }
                Ok(())
            }
        }
    }
}

/// The parts of a sum with their signs, or `None` when the text is no sum: it has no sign with blanks around it outside
/// quotes, and none in front.
fn signed_terms(text: &str) -> Option<Vec<(f64, &str)>> {
    let mut signs: Vec<(usize, f64)> = Vec::new();
    let mut quoted = false;
    let blank = |c: Option<char>| c.is_none_or(char::is_whitespace);
    // By character: a byte of `é` or `顔` is no place where the text may be cut.
    for (place, c) in text.char_indices() {
        quoted ^= c == '"';
        if !matches!(c, '+' | '-') || quoted {
            continue;
        }
        let (before, after) = (&text[..place], &text[place + 1..]);
        let front = before.trim().is_empty();
        if blank(before.chars().next_back()) && (front || blank(after.chars().next())) {
            signs.push((place, if c == '-' { -1.0 } else { 1.0 }));
        }
    }
    if signs.is_empty() {
        return None;
    }
    let mut terms = Vec::new();
    if !text[..signs[0].0].trim().is_empty() {
        terms.push((1.0, &text[..signs[0].0]));
    }
    for (i, &(place, sign)) in signs.iter().enumerate() {
        let end = signs.get(i + 1).map_or(text.len(), |next| next.0);
        terms.push((sign, &text[place + 1..end]));
    }
    Some(terms)
}

/// A contrast from terms with their signs.
fn weighted(text: &str, terms: Vec<(f64, &str)>) -> Result<Contrast, ContrastError> {
    let mut found: Vec<(f64, String)> = Vec::new();
    for (sign, term) in terms {
        let wrong = || ContrastError::Term { text: text.to_owned(), term: term.trim().to_owned() };
        let parts = split_outside_quotes(term, '*')?;
        let number = |part: &str| part.trim().parse::<f64>().ok().filter(|w| w.is_finite() && *w > 0.0);
        let (weight, level) = match parts.as_slice() {
            [level] => (1.0, *level),
            [a, b] => match (number(a), number(b)) {
                (Some(weight), _) => (weight, *b),
                (None, Some(weight)) => (weight, *a),
                _ => return Err(wrong()),
            },
            _ => return Err(wrong()),
        };
        let mut level = names(level, text, "beside")?;
        let (Some(level), true) = (level.pop(), level.is_empty()) else { return Err(wrong()) };
        if !level.quoted && level.text == "rest" {
            return Err(ContrastError::MisplacedRest(text.to_owned()));
        }
        if found.iter().any(|(_, other)| *other == level.text) {
            return Err(ContrastError::Overlap(level.text));
        }
        found.push((sign * weight, level.text));
    }
    let sum: f64 = found.iter().map(|(weight, _)| weight).sum();
    let size: f64 = found.iter().map(|(weight, _)| weight.abs()).sum();
    // Thirds as people write them, .333 three times, are meant as 1; each side is scaled to 1 when it is used.
    if sum.abs() > 2e-3 * size {
        return Err(ContrastError::WeightSum { text: text.to_owned(), sum });
    }
    Ok(Contrast { form: Form::Weighted(found) })
}

struct Name {
    text: String,
    quoted: bool,
}

fn names(side: &str, text: &str, position: &'static str) -> Result<Vec<Name>, ContrastError> {
    split_outside_quotes(side, ',')?
        .iter()
        .map(|part| {
            let part = part.trim();
            let inner = part.strip_prefix('"').and_then(|p| p.strip_suffix('"'));
            // Inside quotes two are one; outside there are none.
            if inner.unwrap_or(part).replace("\"\"", if inner.is_some() { "" } else { "\"" }).contains('"') {
                return Err(ContrastError::Quote(text.to_owned()));
            }
            // The column's entries are taken without the blanks around them, so a quoted name is too.
            let name = inner.map_or(part.to_owned(), |inner| inner.replace("\"\"", "\"").trim().to_owned());
            match name.is_empty() {
                true => Err(ContrastError::EmptyName { text: text.to_owned(), side: position }),
                false => Ok(Name { text: name, quoted: inner.is_some() }),
            }
        })
        .collect()
}

fn split_outside_quotes(text: &str, at: char) -> Result<Vec<&str>, ContrastError> {
    let mut parts = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (place, c) in text.char_indices() {
        if c == '"' {
            quoted = !quoted;
        } else if c == at && !quoted {
            parts.push(&text[start..place]);
            start = place + c.len_utf8();
        }
    }
    if quoted {
        return Err(ContrastError::Quote(text.to_owned()));
    }
    parts.push(&text[start..]);
    Ok(parts)
}

/// Names as the language reads them back.
pub(super) fn joined(names: &[String]) -> String {
    names.iter().map(|name| spelled(name)).collect::<Vec<_>>().join(",")
}

/// A name as the language reads it back, in quotes where it needs them.
pub(super) fn spelled(name: &str) -> String {
    if name.contains([',', '>', '*', '"']) || name == "rest" || name.trim() != name || signed_terms(name).is_some() {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name.to_owned()
    }
}
