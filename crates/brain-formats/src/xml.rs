//! The XML of GIFTI and CIFTI as a tree of elements. The long texts, which are data, are borrowed from the file.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use thiserror::Error;

/// Elements inside one another; neither format has more than eight.
const DEEPEST: usize = 32;

/// XML that cannot be read.
#[derive(Debug, Error, PartialEq)]
pub enum XmlError {
    /// Bytes that are no text.
    #[error("damaged: byte {at} of {length} is no UTF-8")]
    Text {
        /// The first such byte.
        at: usize,
        /// Bytes of the text.
        length: usize,
    },
    /// Not XML.
    #[error("damaged XML at byte {at} of {length}: {what}")]
    Form {
        /// Where.
        at: u64,
        /// Bytes of the text.
        length: usize,
        /// What is wrong there.
        what: String,
    },
    /// An element is open where the text ends.
    #[error("the XML ends after {length} bytes inside <{name}>; the file is cut off")]
    Cut {
        /// Bytes of the text.
        length: usize,
        /// The element.
        name: String,
    },
    /// No element at all.
    #[error("the {length} bytes hold no XML element")]
    Nothing {
        /// Bytes of the text.
        length: usize,
    },
    /// An element lacks an attribute.
    #[error("damaged: <{element}> has no attribute {attribute}")]
    NoAttribute {
        /// Name of the element.
        element: String,
        /// Name of the attribute.
        attribute: &'static str,
    },
    /// An attribute is no whole number from 0.
    #[error("damaged: {attribute} of <{element}> is {value:?}, not a whole number from 0")]
    Count {
        /// Name of the element.
        element: String,
        /// Name of the attribute.
        attribute: String,
        /// What it says.
        value: String,
    },
    /// An element lacks another inside.
    #[error("damaged: <{element}> holds no <{child}>")]
    NoChild {
        /// Name of the element.
        element: String,
        /// Name of what is not there.
        child: &'static str,
    },
}

/// An element, what it says of itself, and what it holds.
#[derive(Debug, Default)]
pub(crate) struct Element<'a> {
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Element<'a>>,
    /// Its own text, without that of its children.
    pub(crate) text: Cow<'a, str>,
}

impl<'a> Element<'a> {
    fn begin(start: &BytesStart<'_>) -> Result<Self, String> {
        let attribute = |read: Result<quick_xml::events::attributes::Attribute<'_>, _>| {
            let read = read.map_err(|error: quick_xml::events::attributes::AttrError| error.to_string())?;
            let value = quick_xml::escape::unescape(&read.value).map_err(|error| error.to_string())?;
            Ok::<_, String>((read.key.as_ref().to_owned(), value.into_owned()))
        };
        let attributes = start.attributes().map(attribute).collect::<Result<_, _>>()?;
        Ok(Element { name: start.name().as_ref().to_owned(), attributes, ..Element::default() })
    }

    fn push_text(&mut self, more: Cow<'a, str>) {
        if self.text.is_empty() {
            self.text = more;
        } else {
            self.text.to_mut().push_str(&more);
        }
    }

    /// Every child of this name.
    pub(crate) fn all<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Element<'a>> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first child of this name.
    pub(crate) fn first(&self, name: &str) -> Option<&Element<'a>> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The first child of this name, which must be there.
    pub(crate) fn child(&self, name: &'static str) -> Result<&Element<'a>, XmlError> {
        self.first(name).ok_or_else(|| XmlError::NoChild { element: self.name.clone(), child: name })
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn required(&self, name: &'static str) -> Result<&str, XmlError> {
        self.attribute(name).ok_or_else(|| XmlError::NoAttribute { element: self.name.clone(), attribute: name })
    }

    /// An attribute that is a whole number from 0.
    pub(crate) fn count(&self, name: &'static str) -> Result<u64, XmlError> {
        self.count_in(name, self.required(name)?)
    }

    /// What an attribute says, as a whole number from 0.
    pub(crate) fn count_in(&self, name: &str, value: &str) -> Result<u64, XmlError> {
        let wrong = || XmlError::Count { element: self.name.clone(), attribute: name.into(), value: value.into() };
        value.trim().parse().map_err(|_| wrong())
    }

    /// The pairs of a `<MetaData>` child.
    pub(crate) fn metadata(&self) -> Vec<(String, String)> {
        let text = |pair: &Element<'_>, name: &str| {
            pair.first(name).map_or(String::new(), |element| element.text.trim().to_owned())
        };
        let pairs = self.first("MetaData").into_iter().flat_map(|data| data.all("MD"));
        pairs.map(|pair| (text(pair, "Name"), text(pair, "Value"))).collect()
    }
}

/// Reads the one root element.
pub(crate) fn read(bytes: &[u8]) -> Result<Element<'_>, XmlError> {
    let length = bytes.len();
    let text = std::str::from_utf8(bytes).map_err(|error| XmlError::Text { at: error.valid_up_to(), length })?;
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element<'_>> = Vec::new();
    let mut root = None;
    loop {
        let at = reader.buffer_position();
        let form = |what: String| XmlError::Form { at, length, what };
        let cut = |open: &[Element<'_>]| match open.last() {
            Some(element) => XmlError::Cut { length, name: element.name.clone() },
            None => XmlError::Nothing { length },
        };
        let mut done = None;
        match reader.read_event() {
            // What the last bytes begin and do not end is a cut, not a wrong form.
            Err(_) if reader.buffer_position() >= length as u64 && root.is_none() => return Err(cut(&open)),
            Err(error) => return Err(form(error.to_string())),
            Ok(Event::Start(start)) => {
                if open.len() == DEEPEST {
                    return Err(form(format!("more than {DEEPEST} elements inside one another")));
                }
                open.push(Element::begin(&start).map_err(form)?);
            }
            Ok(Event::Empty(start)) => done = Some(Element::begin(&start).map_err(form)?),
            Ok(Event::End(_)) => done = open.pop(),
            Ok(Event::Text(text)) => {
                if let Some(element) = open.last_mut() {
                    element.push_text(text.into_inner());
                }
            }
            Ok(Event::CData(text)) => {
                if let Some(element) = open.last_mut() {
                    element.push_text(text.into_inner());
                }
            }
            Ok(Event::GeneralRef(entity)) => {
                let name = entity.into_inner();
                let whole = format!("&{name};");
                let character = quick_xml::escape::unescape(&whole).map_err(|error| form(error.to_string()))?;
                if let Some(element) = open.last_mut() {
                    element.push_text(Cow::Owned(character.into_owned()));
                }
            }
            Ok(Event::Eof) => {
                if !open.is_empty() {
                    return Err(cut(&open));
                }
                return root.ok_or(XmlError::Nothing { length });
            }
            Ok(Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_)) => {}
        }
        if let Some(element) = done {
            match open.last_mut() {
                Some(parent) => parent.children.push(element),
                None if root.is_none() => root = Some(element),
                None => return Err(form(format!("a second root element <{}>", element.name))),
            }
        }
    }
}

/// Text that may stand in an element or an attribute.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    quick_xml::escape::escape(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_with_texts_of_every_kind() {
        let text = "<?xml version=\"1.0\"?>\n<!DOCTYPE A SYSTEM \"x.dtd\">\n<A n=\"3\" m='a &amp; b'><!-- no --><B>1 &lt; \
                    2<![CDATA[ & <3>]]></B><C/><B>x</B></A>\n";
        let root = read(text.as_bytes()).unwrap();
        assert_eq!((root.name.as_str(), root.count("n"), root.attribute("m")), ("A", Ok(3), Some("a & b")));
        let texts: Vec<&str> = root.all("B").map(|b| &*b.text).collect();
        assert_eq!(texts, ["1 < 2 & <3>", "x"]);
        assert!(root.child("C").is_ok() && root.child("D").is_err());
    }

    #[test]
    fn every_cut_is_an_error_and_so_is_what_is_no_xml() {
        let text = "<A n=\"3\"><B>text</B><C/></A>";
        for n in 0..text.len() {
            assert!(read(&text.as_bytes()[..n]).is_err(), "{n}");
        }
        assert_eq!(read(b"<A><B>te").unwrap_err(), XmlError::Cut { length: 8, name: "B".into() });
        assert!(matches!(read(b"<A></B></A>"), Err(XmlError::Form { .. })));
        assert!(matches!(read(b"<A/><B/>"), Err(XmlError::Form { .. })));
        assert!(matches!(read(b"<A>\xff</A>"), Err(XmlError::Text { at: 3, length: 8 })));
        let deep = "<A>".repeat(100);
        assert!(matches!(read(deep.as_bytes()), Err(XmlError::Form { .. })));
    }
}
