//! One Rust source as the rules see it: its text, its tokens, and which of its lines are tests.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::Finding;
use super::paths::{self, PathUse};

/// One token: a name, a sign, a literal in its quotes, or a bracket.
pub(super) struct Word {
    /// As it is written.
    pub(super) text: String,
    /// The line it stands in.
    pub(super) line: usize,
}

/// A source that was read and split into tokens.
pub(super) struct Source {
    /// Relative to the root, with forward slashes.
    pub(super) path: String,
    /// The whole text.
    pub(super) text: String,
    /// Its tokens; documentation comments have become attributes, other comments are gone.
    tokens: TokenStream,
    /// The same tokens in one row.
    pub(super) words: Vec<Word>,
    /// Every path of two or more segments in it, as if written out from the root of its crate.
    pub(super) paths: Vec<PathUse>,
}

impl Source {
    /// Splits the text; a text that is no Rust is a finding.
    pub(super) fn parse(path: &str, text: &str) -> Result<Self, Finding> {
        let tokens: TokenStream = text.parse().map_err(|error: proc_macro2::LexError| {
            let line = error.span().start().line;
            Finding::new(
                format!("{path}:{line}"),
                "is not Rust: a bracket or a quote is not closed",
                "Mend the syntax.",
            )
        })?;
        let paths = paths::of(&tokens, &module(path), is_test_file(path));
        let mut words = Vec::new();
        flatten(&tokens, &mut words);
        Ok(Self { path: path.to_owned(), text: text.to_owned(), tokens, words, paths })
    }

    /// The place of a line, as editors understand it.
    pub(super) fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }

    /// The path inside a crate's `src`, if the source is in there.
    pub(super) fn inside(&self, crate_source: &str) -> Option<&str> {
        self.path.strip_prefix(crate_source)?.strip_prefix('/')
    }

    /// The lines in which these words follow one another.
    pub(super) fn lines_with(&self, words: &[&str]) -> Vec<usize> {
        let same = |window: &&[Word]| window.iter().zip(words).all(|(one, other)| one.text == *other);
        self.words.windows(words.len()).filter(same).filter_map(|window| Some(window.first()?.line)).collect()
    }

    /// How many lines are production code: all but what stands behind `#[cfg(test)]` or is made for tests.
    pub(super) fn production_lines(&self) -> usize {
        let all = self.text.lines().count();
        if is_test_file(&self.path) || self.path.contains("/testing/") { 0 } else { all - test_lines(&self.tokens) }
    }
}

/// Whether a file holds nothing but tests, by its name.
pub(super) fn is_test_file(path: &str) -> bool {
    let tests = |part: &str| part == "tests" || part == "tests.rs" || part.ends_with("_tests.rs");
    path.split('/').any(tests)
}

/// The modules from the crate's root to a file, by the path alone.
fn module(path: &str) -> Vec<String> {
    let inside = path.split_once("src/").map_or("", |(_, inside)| inside);
    let mut modules: Vec<String> = inside.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if modules.last().is_some_and(|last| ["mod", "lib", "main", ""].contains(&last.as_str())) {
        modules.pop();
    }
    modules
}

/// True for the inside of `#[…]` that hides an item outside of tests.
pub(super) fn is_cfg_test(attribute: &TokenStream) -> bool {
    let text: String = attribute.to_string().chars().filter(|character| !character.is_whitespace()).collect();
    text.starts_with("cfg(test") || text.starts_with("cfg(all(test") || text == "test" || text == "tokio::test"
}

fn flatten(tokens: &TokenStream, words: &mut Vec<Word>) {
    for token in tokens.clone() {
        let mut add = |text: &str, line: usize| words.push(Word { text: text.to_owned(), line });
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                add(open, group.span_open().start().line);
                flatten(&group.stream(), words);
                words.push(Word { text: close.to_owned(), line: group.span_close().start().line });
            }
            other => add(&other.to_string(), other.span().start().line),
        }
    }
}

fn test_lines(tokens: &TokenStream) -> usize {
    let mut lines = 0;
    let mut began = None;
    let mut tokens = tokens.clone().into_iter().peekable();
    while let Some(token) = tokens.next() {
        let line = token.span().start().line;
        match (&token, tokens.peek()) {
            (TokenTree::Punct(punct), Some(TokenTree::Group(group)))
                if punct.as_char() == '#' && is_cfg_test(&group.stream()) =>
            {
                began = began.or(Some(line));
            }
            (TokenTree::Group(group), _) if group.delimiter() == Delimiter::Brace => {
                let end = group.span_close().end().line;
                lines += began.take().map_or_else(|| test_lines(&group.stream()), |began| end - began + 1);
            }
            (TokenTree::Punct(punct), _) if punct.as_char() == ';' => {
                lines += began.take().map_or(0, |began| line - began + 1);
            }
            _ => {}
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_modules_of_a_file_follow_from_its_path() {
        assert_eq!(module("crates/core/src/limits/rate.rs"), ["limits", "rate"]);
        assert_eq!(module("crates/core/src/limits/mod.rs"), ["limits"]);
        assert_eq!(module("crates/core/src/lib.rs"), [""; 0]);
        assert_eq!(module("crates/server/tests/api.rs"), [""; 0]);
    }

    #[test]
    fn tests_are_no_production_code() {
        let text = "fn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n#[cfg(test)]\nmod more;\nfn c() {}\n";
        assert_eq!(Source::parse("crates/core/src/a.rs", text).unwrap().production_lines(), 3);
        assert_eq!(Source::parse("crates/core/src/a_tests.rs", text).unwrap().production_lines(), 0);
    }

    #[test]
    fn what_is_no_rust_is_a_finding() {
        let finding = Source::parse("a.rs", "fn a() {\n").err().unwrap();
        assert!(finding.to_string().contains("is not Rust"), "{finding}");
    }
}
