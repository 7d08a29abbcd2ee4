//! Parses XML with quick-xml into a tree of elements that know their line. quick-xml tolerates some errors
//! that other XML parsers reject; such files are refused here.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::encoding::{self, EncodingError};

/// SAL's files are four levels deep; anything much deeper is not one of them.
const MAX_DEPTH: usize = 32;

/// One element. Attributes are validated and dropped, because SAL keeps all information in elements.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) name: String,
    /// The line of the start tag, counted from 1.
    pub(super) line: u32,
    /// The text before the first child element, with line ends as `\n`; empty if there is none.
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// The first child with this name.
    pub(super) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child with this name, as written; `None` if there is no such child or no text.
    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name)
            .map(|child| child.text.as_str())
            .filter(|text| !text.is_empty())
    }

    /// The same without surrounding white space; `None` if nothing else remains.
    pub(super) fn trimmed_text_of(&self, name: &str) -> Option<&str> {
        self.text_of(name).map(str::trim).filter(|text| !text.is_empty())
    }

    /// Text and line of each child with this name.
    pub(super) fn texts<'e>(&'e self, name: &'e str) -> impl Iterator<Item = (&'e str, u32)> {
        self.children
            .iter()
            .filter(move |child| child.name == name)
            .map(|child| (child.text.as_str(), child.line))
    }
}

/// Why, and in which line, a text is not well-formed XML.
#[derive(Debug)]
pub(super) struct XmlError {
    pub(super) line: u32,
    pub(super) reason: String,
}

/// Parses a document in any encoding that it declares and returns its root element.
pub(super) fn parse(bytes: &[u8]) -> Result<Element, XmlError> {
    let text = encoding::decode(bytes).map_err(|EncodingError { before, reason }| XmlError {
        line: line_at(before.as_bytes(), before.len()),
        reason,
    })?;
    let (text, bytes) = (&*text, text.as_bytes());
    let fault = |at: usize, reason: String| XmlError {
        line: line_at(bytes, at),
        reason,
    };
    if let Some((at, bad)) = text.char_indices().find(|(_, c)| !is_xml_char(*c)) {
        return Err(fault(
            at,
            format!("character U+{:04X} is not allowed in XML", u32::from(bad)),
        ));
    }

    let mut reader = Reader::from_str(text);
    reader.config_mut().enable_all_checks(true);
    let mut tree = Tree::default();
    let mut lines = Lines {
        bytes,
        at: 0,
        line: 1,
    };
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(error) => {
                let at = usize::try_from(reader.error_position()).unwrap_or(usize::MAX);
                return Err(fault(at, error.to_string()));
            }
        };
        match event {
            Event::Start(start) => tree.open(&start, lines.line_at(at)),
            Event::Empty(start) => tree.open(&start, lines.line_at(at)).and_then(|()| tree.close()),
            Event::End(_) => tree.close(),
            Event::Text(text) => tree.text(&text.xml10_content()),
            Event::CData(text) => tree.text(&text.xml10_content()),
            Event::GeneralRef(reference) => resolve(&reference).and_then(|text| tree.text(&text)),
            Event::Decl(_) if at > 0 => {
                Err("the XML declaration must be at the very start of the file".to_owned())
            }
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::DocType(_) => Ok(()),
            Event::Eof => return tree.finish().map_err(|reason| fault(text.len(), reason)),
        }
        .map_err(|reason| fault(at, reason))?;
    }
}

/// Line numbers for increasing positions; each byte is counted once.
struct Lines<'b> {
    bytes: &'b [u8],
    at: usize,
    line: u32,
}

impl Lines<'_> {
    fn line_at(&mut self, at: usize) -> u32 {
        self.line += line_at(self.bytes.get(self.at..at).unwrap_or_default(), at) - 1;
        self.at = at;
        self.line
    }
}

#[derive(Default)]
struct Tree {
    open: Vec<Element>,
    root: Option<Element>,
}

impl Tree {
    fn open(&mut self, start: &BytesStart<'_>, line: u32) -> Result<(), String> {
        let name = start.name();
        let name = name.as_ref();
        if !is_xml_name(name) {
            return Err(format!("'{name}' is not an element name"));
        }
        if self.root.is_some() {
            return Err(format!("<{name}> follows the end of the root element"));
        }
        if self.open.len() == MAX_DEPTH {
            return Err(format!("elements are nested more than {MAX_DEPTH} deep"));
        }
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| format!("attribute of <{name}>: {error}"))?;
            let value = quick_xml::escape::unescape(&attribute.value);
            if attribute.value.contains('<') || value.is_err() {
                return Err(format!(
                    "attribute of <{name}>: '<' and '&' must be written as &lt; and &amp;"
                ));
            }
        }
        self.open.push(Element {
            name: name.to_owned(),
            line,
            text: String::new(),
            children: Vec::new(),
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let closed = self.open.pop();
        match self.open.last_mut() {
            Some(parent) => parent.children.extend(closed),
            None => self.root = closed,
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), String> {
        match self.open.last_mut() {
            Some(element) if element.children.is_empty() => element.text.push_str(text),
            Some(_) => {}
            None if text.trim().is_empty() => {}
            None => return Err("text outside of the root element".to_owned()),
        }
        Ok(())
    }

    fn finish(self) -> Result<Element, String> {
        match (self.open.last(), self.root) {
            (Some(element), _) => Err(format!(
                "<{}> in line {} is never closed",
                element.name, element.line
            )),
            (None, Some(root)) => Ok(root),
            (None, None) => Err("expected a root element, found none".to_owned()),
        }
    }
}

fn resolve<'r>(reference: &'r BytesRef<'_>) -> Result<Cow<'r, str>, String> {
    let name = reference.xml10_content();
    match reference.resolve_char_ref() {
        Ok(Some(character)) if is_xml_char(character) => return Ok(character.to_string().into()),
        Ok(None) => {}
        _ => return Err(format!("'&{name};' is not a character that XML allows")),
    }
    match quick_xml::escape::resolve_predefined_entity(&name) {
        Some(text) => Ok(text.into()),
        None => Err(format!(
            "'&{name};' is not an XML entity; a plain '&' must be written as &amp;"
        )),
    }
}

fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..)
}

fn is_xml_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':' || !c.is_ascii();
    name.starts_with(letter)
        && name
            .chars()
            .all(|c| letter(c) || c.is_ascii_digit() || c == '-' || c == '.')
}

fn line_at(bytes: &[u8], at: usize) -> u32 {
    let before = bytes.get(..at).unwrap_or(bytes);
    u32::try_from(memchr::memchr_iter(b'\n', before).count() + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let XmlError { line, reason } = parse(text.as_bytes()).unwrap_err();
        format!("{line}: {reason}")
    }

    #[test]
    fn elements_know_their_text_and_line() {
        let root =
            parse("\u{feff}<?xml version='1.0'?>\r\n<a>\r\n<b>x &lt;&#65;<!-- c -->\r\ny<![CDATA[&]]></b>\n<b/><c> </c>tail</a>\n".as_bytes())
                .unwrap();
        assert_eq!((root.name.as_str(), root.line, root.children.len()), ("a", 2, 3));
        assert_eq!(root.text_of("b"), Some("x <A\ny&"));
        assert_eq!((root.text_of("c"), root.trimmed_text_of("c")), (Some(" "), None));
        assert_eq!(root.texts("b").map(|(_, line)| line).collect::<Vec<_>>(), [3, 5]);
    }

    #[test]
    fn what_is_not_well_formed_is_refused_with_its_line() {
        for (text, expected) in [
            ("", "1: expected a root element, found none"),
            (
                "<a>\n<b>\n</a>",
                "3: ill-formed document: expected `</b>`, but `</a>` was found",
            ),
            ("<a>\n<b></b>\n", "3: <a> in line 1 is never closed"),
            ("<a/>\n<b/>", "2: <b> follows the end of the root element"),
            ("<a/>\nx", "1: text outside of the root element"),
            (
                "<a>\n\n&x;</a>",
                "3: '&x;' is not an XML entity; a plain '&' must be written as &amp;",
            ),
            (
                "<a>\nr & d</a>",
                "2: ill-formed document: entity or character reference not closed: `;` not found before end of input",
            ),
            ("<a>&#1;</a>", "1: '&#1;' is not a character that XML allows"),
            ("<a>\n\u{1}</a>", "2: character U+0001 is not allowed in XML"),
            ("<a>\n< b></b></a>", "2: '' is not an element name"),
            (
                "<a x='<'/>",
                "1: attribute of <a>: '<' and '&' must be written as &lt; and &amp;",
            ),
            (
                "<a>\n<b",
                "2: syntax error: tag not closed: `>` not found before end of input",
            ),
            (
                "\n<?xml version='1.0'?><a/>",
                "2: the XML declaration must be at the very start of the file",
            ),
        ] {
            assert_eq!(refused(text), expected, "{text:?}");
        }
        let XmlError { line, reason } = parse(b"<a>\n\xff</a>").unwrap_err();
        assert_eq!(
            (line, reason.as_str()),
            (2, "expected UTF-8 text; save the file as UTF-8")
        );
        assert!(refused(&"<a>".repeat(40)).contains("more than 32 deep"));
    }
}
