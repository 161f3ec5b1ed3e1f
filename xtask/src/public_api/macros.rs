//! Items that a small macro of the same module makes, such as the ids: expanded as far as a listing needs.
//!
//! Only the first arm is known. Parameters that stand by themselves are put in; where an arm repeats (`$(…)*`), the arm is
//! shown as it is written and the arguments stand behind it, so that a change of either shows.

use std::collections::BTreeMap;

use proc_macro2::{Group, TokenStream, TokenTree};

use super::items::{Raw, rendered, split_at_commas};

/// The macros of a module by name: the pattern and the body of the first arm.
#[derive(Debug, Default)]
pub(super) struct Macros(BTreeMap<String, (Group, Group)>);

impl Macros {
    /// Remembers a `macro_rules`.
    pub(super) fn define(&mut self, name: &str, item: &Raw) {
        let Some(body) = &item.body else { return };
        let groups: Vec<Group> = body.stream().into_iter().filter_map(group).collect();
        if let [pattern, arm, ..] = groups.as_slice() {
            self.0.insert(name.to_owned(), (pattern.clone(), arm.clone()));
        }
    }

    /// What a call makes, and what to show behind it; `None` if it calls no macro of this module.
    pub(super) fn expand(&self, call: &Raw) -> Option<(TokenStream, String)> {
        let [TokenTree::Ident(name), TokenTree::Punct(bang), rest @ ..] = call.head.as_slice() else { return None };
        let arguments = call.body.clone().or_else(|| rest.iter().cloned().find_map(group))?.stream();
        let (pattern, arm) = self.0.get(&name.to_string()).filter(|_| bang.as_char() == '!')?;
        let names = parameters(pattern.stream());
        let values = split_at_commas(arguments.clone());
        if names.len() != values.len() {
            return Some((arm.stream(), format!(" <- {}", rendered(arguments))));
        }
        let given = names.into_iter().zip(values).collect();
        Some((put_in(arm.stream(), &given), String::new()))
    }
}

fn group(token: TokenTree) -> Option<Group> {
    if let TokenTree::Group(group) = token { Some(group) } else { None }
}

/// The names of `$a:ident, $b:literal`; none if the pattern repeats.
fn parameters(pattern: TokenStream) -> Vec<String> {
    let tokens: Vec<TokenTree> = pattern.into_iter().collect();
    let is_dollar = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == '$');
    let pairs = tokens.windows(2).filter_map(|pair| match pair {
        [dollar, TokenTree::Ident(name)] if is_dollar(dollar) => Some(name.to_string()),
        _ => None,
    });
    pairs.collect()
}

fn put_in(tokens: TokenStream, given: &BTreeMap<String, Vec<TokenTree>>) -> TokenStream {
    let mut out = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let name = tokens.peek().map(ToString::to_string).unwrap_or_default();
        match token {
            TokenTree::Punct(dollar) if dollar.as_char() == '$' && given.contains_key(&name) => {
                out.extend(given.get(&name).into_iter().flatten().cloned());
                tokens.next();
            }
            TokenTree::Group(group) => {
                out.push(TokenTree::Group(Group::new(group.delimiter(), put_in(group.stream(), given))));
            }
            other => out.push(other),
        }
    }
    out.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::super::items::items;
    use super::*;

    fn made(text: &str) -> Vec<String> {
        let mut macros = Macros::default();
        let mut lines = Vec::new();
        for item in items(&text.parse().unwrap()) {
            match item.keyword_and_name() {
                Some((keyword, name)) if keyword == "macro_rules" => macros.define(&name, &item),
                _ => {
                    let (tokens, behind) = macros.expand(&item).unwrap();
                    lines.extend(items(&tokens).iter().map(|item| item.declaration() + &behind));
                }
            }
        }
        lines
    }

    #[test]
    fn simple_parameters_are_put_in_and_repeated_ones_are_shown() {
        assert_eq!(
            made("macro_rules! id { ($a:ident, $b:literal) => { pub struct $a(u8); }; } id!(A, \"x\"); id!(B, \"y\");"),
            ["struct A (. .)", "struct B (. .)"]
        );
        let repeated = made("macro_rules! e { ($($a:ident;)*) => { pub enum E { $($a,)* } }; } e! { A; B; }");
        assert!(repeated.len() == 1 && repeated[0].ends_with("<- A ; B ;"), "{repeated:?}");
    }
}
