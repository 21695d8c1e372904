//! The Python literal in a header: `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }`.
//!
//! Headers as NumPy writes them today are read by `ndarray-npy`; this is for those of other times and programs.
//! Python 2 wrote `(3L, 2L)` and `u'descr'`; other programs leave blanks out or in, order the keys as they like and pad
//! with nothing. All of that means the same.

use crate::NpyError;

/// Brackets nested deeper than this are no dtype; reading recurses once per bracket.
const MAX_NESTING: usize = 8;

/// What a header says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Description {
    /// As written; a structured dtype as `[...]`.
    pub descr: String,
    pub fortran: bool,
    pub shape: Vec<usize>,
}

/// Reads the description, and nothing but blanks behind it.
pub(crate) fn parse(text: &[u8]) -> Result<Description, NpyError> {
    let text = std::str::from_utf8(text).map_err(|_| damaged("is no text"))?;
    let mut parser = Parser { rest: text.trim_end_matches(['\0', ' ', '\n', '\r', '\t']) };
    let Value::Map(entries) = parser.value(0)? else { return Err(damaged("is no dictionary")) };
    if !parser.rest.trim().is_empty() {
        return Err(damaged("goes on behind its dictionary"));
    }
    let (mut descr, mut fortran, mut shape) = (None, None, None);
    for (key, value) in entries {
        match (key.as_str(), value) {
            ("descr", Value::Text(code)) if descr.is_none() => descr = Some(code),
            ("descr", Value::List(_)) if descr.is_none() => descr = Some("[...]".to_owned()),
            ("fortran_order", Value::Bool(order)) if fortran.is_none() => fortran = Some(order),
            ("shape", Value::List(axes)) if shape.is_none() => {
                let axis = |value: &Value| match value {
                    Value::Int(n) => usize::try_from(*n).ok(),
                    _ => None,
                };
                let axes: Option<Vec<usize>> = axes.iter().map(axis).collect();
                shape = Some(axes.ok_or_else(|| damaged("has a shape of no whole numbers from 0"))?);
            }
            // Old Fortran and Java writers give the shape of a 1-d array without brackets.
            ("shape", Value::Int(n)) if shape.is_none() => {
                shape = Some(vec![usize::try_from(n).map_err(|_| damaged("has a negative shape"))?]);
            }
            (key, _) => return Err(NpyError::Header(format!("has an odd or doubled entry {key:?}"))),
        }
    }
    match (descr, fortran, shape) {
        (Some(descr), Some(fortran), Some(shape)) => Ok(Description { descr, fortran, shape }),
        _ => Err(damaged("lacks one of 'descr', 'fortran_order', 'shape'")),
    }
}

fn damaged(what: &str) -> NpyError {
    NpyError::Header(what.to_owned())
}

enum Value {
    Text(String),
    Bool(bool),
    Int(i128),
    /// A list or a tuple.
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn take(&mut self, c: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, c: char) -> Result<(), NpyError> {
        match self.take(c) {
            true => Ok(()),
            false => Err(NpyError::Header(format!("has no {c:?} before {:?}", self.shown()))),
        }
    }

    fn shown(&self) -> String {
        self.rest.chars().take(12).collect()
    }

    fn value(&mut self, depth: usize) -> Result<Value, NpyError> {
        if depth > MAX_NESTING {
            return Err(NpyError::Header(format!("brackets nested deeper than {MAX_NESTING}")));
        }
        if self.take('{') {
            let mut entries = Vec::new();
            while !self.take('}') {
                let Value::Text(key) = self.value(depth + 1)? else { return Err(damaged("has a key that is no text")) };
                self.expect(':')?;
                entries.push((key, self.value(depth + 1)?));
                if !self.take(',') {
                    self.expect('}')?;
                    break;
                }
            }
            return Ok(Value::Map(entries));
        }
        for (open, close) in [('(', ')'), ('[', ']')] {
            if self.take(open) {
                let mut items = Vec::new();
                let mut comma = false;
                while !self.take(close) {
                    items.push(self.value(depth + 1)?);
                    comma = self.take(',');
                    if !comma {
                        self.expect(close)?;
                        break;
                    }
                }
                // `(3)` is a number in brackets.
                if let (1, '(', false) = (items.len(), open, comma) {
                    return Ok(items.remove(0));
                }
                return Ok(Value::List(items));
            }
        }
        self.rest = self.rest.trim_start();
        for (word, value) in [("True", true), ("False", false)] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(Value::Bool(value));
            }
        }
        let unprefixed = self.rest.strip_prefix(['u', 'b', 'r', 'U', 'B']).unwrap_or(self.rest);
        if let Some(quote) = unprefixed.chars().next().filter(|c| matches!(c, '\'' | '"')) {
            let inner = &unprefixed[1..];
            let end = inner.find(quote).ok_or_else(|| damaged("has a quote that is not closed"))?;
            self.rest = &inner[end + 1..];
            return Ok(Value::Text(inner[..end].to_owned()));
        }
        let end = self.rest.find(|c: char| !(c.is_ascii_digit() || c == '-')).unwrap_or(self.rest.len());
        let number = self.rest[..end].parse();
        let number = number.map_err(|_| NpyError::Header(format!("has {:?} where a value should be", self.shown())))?;
        self.rest = &self.rest[end..];
        // A long integer of Python 2.
        self.rest = self.rest.strip_prefix(['L', 'l']).unwrap_or(self.rest);
        Ok(Value::Int(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_write_means_the_same() {
        let expected = Description { descr: "<f8".into(), fortran: false, shape: vec![3, 4] };
        for text in [
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }          \n",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3L, 4L), }\n",
            "{u'descr': u'<f8', u'fortran_order': False, u'shape': (3, 4)}",
            "{\"shape\":(3,4),\"fortran_order\":False,\"descr\":\"<f8\"}\0\0",
            " {'shape' : [ 3 , 4 ] , 'descr' :b'<f8','fortran_order':False ,} ",
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap(), expected, "{text}");
        }
        let shape = |text: &str| {
            parse(format!("{{'descr':'|O','fortran_order':True,'shape':{text}}}").as_bytes()).unwrap().shape
        };
        assert_eq!(
            (shape("()"), shape("(5,)"), shape("(5)"), shape("(2,3,4)")),
            (vec![], vec![5], vec![5], vec![2, 3, 4])
        );
        let fields = b"{'descr': [('x', '<f4'), ('y', '<i8', (2, 2))], 'fortran_order': False, 'shape': (3,)}";
        assert_eq!(parse(fields).unwrap().descr, "[...]");
    }

    #[test]
    fn what_says_nothing_is_damaged() {
        for text in [
            "",
            "{}",
            "{'descr': '<f8', 'fortran_order': False}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3, -4)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4)",
            "{'descr': '<f8, 'fortran_order': False, 'shape': (3, 4)}",
            "{'descr': '<f8', 'fortran_order': 0, 'shape': (3, 4)}",
            "{'descr': '<f8', 'descr': '<f4', 'fortran_order': False, 'shape': (3, 4)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4)} {}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3.5, 4)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999999999999999999999999, 4)}",
            "\u{e9}",
        ] {
            assert!(matches!(parse(text.as_bytes()), Err(NpyError::Header(_))), "{text}");
        }
        assert!(parse("(".repeat(5000).as_bytes()).is_err());
        assert!(parse(b"\xff").is_err());
    }
}
