//! Puts tables into a document, between marks, so that no figure is copied by hand.

use std::io::{Error, ErrorKind, Result};

/// The document with another text between `<!-- name -->` and the next `<!-- end -->`.
fn with_block(document: &str, name: &str, text: &str) -> Option<String> {
    let start = format!("<!-- {name} -->\n");
    let (before, rest) = document.split_once(&start)?;
    let (_, after) = rest.split_once("<!-- end -->")?;
    let text = text.trim_end();
    Some(format!(
        "{before}{start}```text\n{text}\n```\n<!-- end -->{after}"
    ))
}

/// Replaces the blocks of a file.
pub(crate) fn update(path: &str, blocks: &[(&str, &str)]) -> Result<()> {
    let mut document = std::fs::read_to_string(path)?;
    for (name, text) in blocks {
        let missing = || {
            Error::new(
                ErrorKind::InvalidData,
                format!("{path} has no block {name}"),
            )
        };
        document = with_block(&document, name, text).ok_or_else(missing)?;
    }
    std::fs::write(path, document)
}
