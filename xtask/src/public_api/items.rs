//! The items of one Rust source, read as tokens: what is public, how it is declared, what it re-exports and implements.
//!
//! Bodies of functions, documentation and private fields are left out, so that a listing changes only with what a caller can
//! see.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Attributes that a caller notices.
const NOTICED: [&str; 3] = ["cfg", "derive", "non_exhaustive"];

/// One item, not yet looked into.
#[derive(Debug)]
pub(super) struct Raw {
    attributes: Vec<Group>,
    pub(super) public: bool,
    /// Everything before the body, without visibility.
    pub(super) head: Vec<TokenTree>,
    pub(super) body: Option<Group>,
}

impl Raw {
    /// Whether its attributes name all these words, in `cfg(test)` or `cfg(feature = "testing")`, say.
    pub(super) fn is_cfg(&self, word: &str) -> bool {
        self.attributes.iter().any(|attribute| {
            let text = attribute.stream().to_string();
            text.starts_with("cfg") && text.contains(word) && !text.contains("not")
        })
    }

    pub(super) fn has_attribute(&self, name: &str) -> bool {
        self.attributes.iter().any(|attribute| attribute.stream().to_string() == name)
    }

    /// The word that says what it is, and the name behind it.
    pub(super) fn keyword_and_name(&self) -> Option<(String, String)> {
        const KEYWORDS: [&str; 10] =
            ["mod", "use", "fn", "struct", "enum", "trait", "type", "static", "impl", "macro_rules"];
        let words: Vec<String> = self.head.iter().map(ToString::to_string).collect();
        let at = words.iter().position(|word| KEYWORDS.contains(&word.as_str()));
        // `const fn` is a function; a `const` whose type is a pointer to one is not.
        let constant = words.first().is_some_and(|word| word == "const") && words.get(1).is_some_and(|w| w != "fn");
        if constant && !words.iter().take(4).any(|word| word == "fn") {
            return Some(("const".to_owned(), words.get(1)?.clone()));
        }
        let at = at?;
        let name = words.iter().skip(at + 1).find(|word| word.as_str() != "!")?;
        Some((words.get(at)?.clone(), name.clone()))
    }

    /// The declaration as a caller sees it.
    pub(super) fn declaration(&self) -> String {
        let noticed = self.attributes.iter().filter(|attribute| is_noticed(attribute));
        let mut words: Vec<String> = noticed.map(|attribute| format!("#[{}]", rendered(attribute.stream()))).collect();
        let keyword = self.keyword_and_name().map(|(keyword, _)| keyword).unwrap_or_default();
        let head = match keyword.as_str() {
            "const" | "static" => before_equals(&self.head),
            "struct" => without_private_fields(&self.head),
            _ => self.head.clone(),
        };
        words.push(rendered(head.into_iter().collect()));
        let body = self.body.iter();
        words.extend(body.filter_map(|body| match keyword.as_str() {
            "struct" => Some(format!("{{ {} }}", fields(body))),
            "enum" => Some(format!("{{ {} }}", rendered(body.stream()))),
            "trait" => {
                let items = items(&body.stream());
                let lines: Vec<String> = items.iter().map(|item| format!("{};", item.declaration())).collect();
                Some(format!("{{ {} }}", lines.join(" ")))
            }
            _ => None,
        }));
        words.join(" ")
    }
}

fn is_noticed(attribute: &Group) -> bool {
    attribute.stream().into_iter().next().is_some_and(|first| NOTICED.contains(&first.to_string().as_str()))
}

/// The items of a module, an `impl` or a trait.
pub(super) fn items(tokens: &TokenStream) -> Vec<Raw> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let (mut found, mut rest) = (Vec::new(), tokens.as_slice());
    while let Some((item, after)) = one_item(rest) {
        found.extend(Some(item).filter(|item| !item.head.is_empty()));
        rest = after;
    }
    found
}

fn one_item(mut rest: &[TokenTree]) -> Option<(Raw, &[TokenTree])> {
    rest.first()?;
    let mut item = Raw { attributes: Vec::new(), public: false, head: Vec::new(), body: None };
    loop {
        match rest {
            [TokenTree::Punct(hash), TokenTree::Punct(bang), TokenTree::Group(_), after @ ..]
                if hash.as_char() == '#' && bang.as_char() == '!' =>
            {
                rest = after;
            }
            [TokenTree::Punct(hash), TokenTree::Group(attribute), after @ ..] if hash.as_char() == '#' => {
                item.attributes.push(attribute.clone());
                rest = after;
            }
            [TokenTree::Ident(word), TokenTree::Group(group), after @ ..]
                if word == "pub" && group.delimiter() == Delimiter::Parenthesis =>
            {
                rest = after;
            }
            [TokenTree::Ident(word), after @ ..] if word == "pub" => {
                item.public = true;
                rest = after;
            }
            _ => break,
        }
    }
    let first = rest.first().map(ToString::to_string).unwrap_or_default();
    let value = matches!(first.as_str(), "use" | "static" | "type")
        || (first == "const" && !rest.iter().take(3).any(|token| token.to_string() == "fn"));
    let mut angles = Angles::default();
    while let Some((token, after)) = rest.split_first() {
        rest = after;
        let depth = angles.after(token);
        match token {
            TokenTree::Punct(end) if end.as_char() == ';' => break,
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && !value && depth == 0 => {
                item.body = Some(group.clone());
                break;
            }
            token => item.head.push(token.clone()),
        }
    }
    Some((item, rest))
}

/// How many angle brackets are open; the arrow `->` closes none.
#[derive(Default)]
pub(super) struct Angles {
    depth: usize,
    dash: bool,
}

impl Angles {
    pub(super) fn after(&mut self, token: &TokenTree) -> usize {
        let sign = if let TokenTree::Punct(punct) = token { punct.as_char() } else { ' ' };
        match sign {
            '<' => self.depth += 1,
            '>' if !self.dash => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.dash = matches!(sign, '-' | '=');
        self.depth
    }
}

pub(super) fn split_at_commas(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    let (mut parts, mut angles) = (vec![Vec::new()], Angles::default());
    for token in tokens {
        let depth = angles.after(&token);
        let comma = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ',');
        if comma && depth == 0 {
            parts.push(Vec::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(token);
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// The public fields, and whether there are others.
fn fields(body: &Group) -> String {
    let (mut shown, mut hidden) = (Vec::new(), false);
    for field in split_at_commas(body.stream()) {
        let text = rendered(field.into_iter().collect());
        if text.starts_with("pub ") && !text.starts_with("pub (") { shown.push(text) } else { hidden = true }
    }
    shown.extend(hidden.then(|| "..".to_owned()));
    shown.join(", ")
}

/// `struct A(pub B, C)` without what `C` is.
fn without_private_fields(head: &[TokenTree]) -> Vec<TokenTree> {
    let shown = |group: &Group| {
        let stream: TokenStream = fields(group).parse().unwrap_or_default();
        TokenTree::Group(Group::new(Delimiter::Parenthesis, stream))
    };
    let tuple = |token: &TokenTree| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => shown(group),
        other => other.clone(),
    };
    head.iter().map(tuple).collect()
}

fn before_equals(head: &[TokenTree]) -> Vec<TokenTree> {
    let equals = |token: &&TokenTree| !matches!(token, TokenTree::Punct(punct) if punct.as_char() == '=');
    head.iter().take_while(equals).cloned().collect()
}

/// Tokens with one space between them, without attributes that no caller notices.
pub(super) fn rendered(tokens: TokenStream) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match (&token, tokens.peek()) {
            (TokenTree::Punct(hash), Some(TokenTree::Group(attribute)))
                if hash.as_char() == '#' && attribute.delimiter() == Delimiter::Bracket =>
            {
                if is_noticed(attribute) {
                    words.push(format!("#[{}]", rendered(attribute.stream())));
                }
                tokens.next();
            }
            (TokenTree::Group(group), _) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{ ", " }"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                words.push(format!("{open}{}{close}", rendered(group.stream())));
            }
            (token, _) => words.push(token.to_string()),
        }
    }
    tight(&words.join(" "))
}

/// `a :: b < C >` as people write it.
fn tight(text: &str) -> String {
    let mut text = text.to_owned();
    for (loose, close) in [
        (" : : ", "::"),
        (": : ", "::"),
        (" :: ", "::"),
        (" < ", "<"),
        (" >", ">"),
        (" ,", ","),
        (" : ", ": "),
        ("& ", "&"),
        ("- >", "->"),
        ("' ", "'"),
    ] {
        text = text.replace(loose, close);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(text: &str) -> Vec<String> {
        let items = items(&text.parse().unwrap());
        items.iter().filter(|item| item.public).map(Raw::declaration).collect()
    }

    #[test]
    fn bodies_documentation_and_private_parts_are_left_out() {
        assert_eq!(
            declared(
                "/// A.\n#[must_use] pub const fn a(b: &str) -> Vec<u8> { b.len() } fn c() {} pub(crate) fn d() {}"
            ),
            ["const fn a (b: &str) -> Vec<u8>"]
        );
        assert_eq!(
            declared("#[derive(Debug)] pub struct A { /// B.\n pub b: B<C, D>, e: F }"),
            ["#[derive (Debug)] struct A { pub b: B<C, D>, .. }"]
        );
        assert_eq!(declared("pub struct A(B);"), ["struct A (. .)"]);
        assert_eq!(declared("pub const A: u8 = { 1 };"), ["const A: u8"]);
        assert_eq!(
            declared("pub trait A { /// B.\n fn b(&self) -> C { d() } fn e(); }"),
            ["trait A { fn b (&self) -> C; fn e (); }"]
        );
        assert_eq!(declared("pub enum A { #[error(\"b\")] B(C), D }"), ["enum A { B (C), D }"]);
    }

    #[test]
    fn a_change_of_a_signature_shows_and_a_change_of_a_body_does_not() {
        let before = declared("pub fn a(b: u8) -> u8 { b }");
        assert_eq!(before, declared("pub fn a(b: u8) -> u8 { b + 1 }"));
        assert_ne!(before, declared("pub fn a(b: u16) -> u8 { b }"));
    }
}
