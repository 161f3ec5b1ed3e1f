//! The paths that a source names, resolved to the root of its crate: `crate::`, `self::`, `super::` and `use` trees.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use super::source::is_cfg_test;

/// One path as it is used somewhere.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PathUse {
    /// The segments; inside the own crate the first is `crate`, otherwise the path is as written. A glob ends in `*`.
    pub(super) segments: Vec<String>,
    /// The line it stands in.
    pub(super) line: usize,
    /// It stands in tests.
    pub(super) in_test: bool,
}

impl PathUse {
    /// The segments as they would be written.
    pub(super) fn written(&self) -> String {
        self.segments.join("::")
    }

    /// The room of the own crate that the path leads into: its first module, or `*`.
    pub(super) fn room(&self) -> Option<&str> {
        match self.segments.as_slice() {
            [own, room, ..] if own == "crate" => Some(room),
            _ => None,
        }
    }

    /// Whether the path begins with these segments.
    pub(super) fn begins(&self, segments: &[&str]) -> bool {
        self.segments.len() >= segments.len() && self.segments.iter().zip(segments).all(|(own, other)| own == other)
    }

    /// Whether the path ends with these segments.
    pub(super) fn ends(&self, segments: &[&str]) -> bool {
        let from = self.segments.len().checked_sub(segments.len());
        from.is_some_and(|from| self.segments.iter().skip(from).zip(segments).all(|(own, other)| own == other))
    }
}

/// All paths of two or more segments in the source of `module`.
pub(super) fn of(tokens: &TokenStream, module: &[String], in_test: bool) -> Vec<PathUse> {
    let mut walk = Walk { module: module.to_vec(), in_test, found: Vec::new() };
    walk.tokens(tokens);
    walk.found
}

struct Walk {
    module: Vec<String>,
    in_test: bool,
    found: Vec<PathUse>,
}

impl Walk {
    fn tokens(&mut self, tokens: &TokenStream) {
        let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
        let mut rest = tokens.as_slice();
        // A test attribute counts for the item behind it, which ends with a semicolon or its braces.
        let mut item_is_test = false;
        while let Some((token, after)) = rest.split_first() {
            rest = after;
            match (token, after) {
                (TokenTree::Punct(hash), [TokenTree::Group(attribute), after @ ..]) if hash.as_char() == '#' => {
                    item_is_test |= is_cfg_test(&attribute.stream());
                    rest = after;
                }
                (TokenTree::Ident(keyword), [TokenTree::Ident(name), TokenTree::Group(body), after @ ..])
                    if keyword == "mod" =>
                {
                    self.within(Some(name.to_string()), item_is_test, body);
                    item_is_test = false;
                    rest = after;
                }
                (TokenTree::Ident(_), _) => rest = self.path(token, after, item_is_test),
                (TokenTree::Group(group), _) => {
                    self.within(None, item_is_test, group);
                    item_is_test &= group.delimiter() != Delimiter::Brace;
                }
                (TokenTree::Punct(end), _) if end.as_char() == ';' => item_is_test = false,
                _ => {}
            }
        }
    }

    fn within(&mut self, module: Option<String>, is_test: bool, group: &Group) {
        let outer = self.in_test;
        let named = module.is_some();
        self.in_test |= is_test;
        self.module.extend(module);
        self.tokens(&group.stream());
        if named {
            self.module.pop();
        }
        self.in_test = outer;
    }

    /// Reads one path that begins with `first`; gives back what follows it.
    fn path<'a>(&mut self, first: &TokenTree, mut rest: &'a [TokenTree], is_test: bool) -> &'a [TokenTree] {
        let line = first.span().start().line;
        let mut segments = vec![first.to_string()];
        while let Some((next, after)) = after_colons(rest) {
            match next {
                TokenTree::Ident(segment) => segments.push(segment.to_string()),
                TokenTree::Punct(star) if star.as_char() == '*' => {
                    segments.push("*".to_owned());
                    self.add(&segments, line, is_test);
                    return after;
                }
                TokenTree::Group(tree) if tree.delimiter() == Delimiter::Brace => {
                    self.tree(&segments, &tree.stream(), is_test);
                    return after;
                }
                // `::<T>`: the path so far counts, and what is in the brackets is read next.
                _ => break,
            }
            rest = after;
        }
        self.add(&segments, line, is_test);
        rest
    }

    /// The branches of `use a::{b, c::d}`.
    fn tree(&mut self, stem: &[String], tree: &TokenStream, is_test: bool) {
        let tokens: Vec<TokenTree> = tree.clone().into_iter().collect();
        let comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
        for branch in tokens.split(comma) {
            let Some((first, rest)) = branch.split_first() else { continue };
            let mut inner = Self { module: self.module.clone(), in_test: self.in_test, found: Vec::new() };
            inner.path(first, rest, is_test);
            if inner.found.is_empty() {
                // A single name, which by itself is no path.
                let whole = [stem, &[first.to_string()]].concat();
                self.add(&whole, first.span().start().line, is_test);
            }
            for found in inner.found {
                self.add(&[stem, &found.segments].concat(), found.line, is_test);
            }
        }
    }

    fn add(&mut self, segments: &[String], line: usize, is_test: bool) {
        if segments.len() > 1 {
            let segments = self.resolved(segments);
            self.found.push(PathUse { segments, line, in_test: self.in_test || is_test });
        }
    }

    /// With `self` and `super` written out from the root of the crate.
    fn resolved(&self, segments: &[String]) -> Vec<String> {
        let ups = segments.iter().take_while(|segment| *segment == "super" || *segment == "self").count();
        if ups == 0 {
            return segments.to_vec();
        }
        let (steps, inside) = segments.split_at(ups);
        let up = steps.iter().filter(|step| *step == "super").count();
        let stays = self.module.len().saturating_sub(up);
        let root = std::iter::once("crate".to_owned());
        root.chain(self.module.iter().take(stays).cloned()).chain(inside.iter().cloned()).collect()
    }
}

/// What follows `::`, and the rest behind it.
fn after_colons(tokens: &[TokenTree]) -> Option<(&TokenTree, &[TokenTree])> {
    match tokens {
        [TokenTree::Punct(one), TokenTree::Punct(two), next, after @ ..]
            if one.as_char() == ':' && two.as_char() == ':' =>
        {
            Some((next, after))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        of(&text.parse().unwrap(), &["limits".to_owned(), "rate".to_owned()], false)
            .iter()
            .map(PathUse::written)
            .collect()
    }

    #[test]
    fn use_trees_are_written_out() {
        assert_eq!(
            found("use crate::{a::B, c::{D, E as F}, g::*, h};"),
            ["crate::a::B", "crate::c::D", "crate::c::E", "crate::g::*", "crate::h"]
        );
        assert_eq!(found("use crate::a::{self, B};"), ["crate::a::self", "crate::a::B"]);
    }

    #[test]
    fn super_and_self_lead_from_the_module() {
        assert_eq!(found("use super::gcra::Gcra;"), ["crate::limits::gcra::Gcra"]);
        assert_eq!(found("use super::super::verifier;"), ["crate::verifier"]);
        assert_eq!(found("use super::super::{verifier::V, store};"), ["crate::verifier::V", "crate::store"]);
        assert_eq!(
            found("mod inner { fn a() { self::b(); super::c() } }"),
            ["crate::limits::rate::inner::b", "crate::limits::rate::c"]
        );
    }

    #[test]
    fn paths_in_code_and_macros_are_seen_and_comments_and_strings_are_not() {
        assert_eq!(
            found("fn a() { let x: Vec<crate::b::C> = d::<e::F>(); g!(crate::h::I) }"),
            ["crate::b::C", "e::F", "crate::h::I"]
        );
        assert_eq!(found("//! [`crate::a`]\n/// crate::b\nconst A: &str = \"crate::c\"; // crate::d"), [""; 0]);
    }

    #[test]
    fn tests_are_marked() {
        let text = "#[cfg(test)] use a::b; use c::d; #[cfg(test)] mod tests { use super::*; } fn e() { f::g() }";
        let uses = of(&text.parse().unwrap(), &[], false);
        let marks: Vec<_> = uses.iter().map(|found| (found.written(), found.in_test)).collect();
        let expected = [("a::b", true), ("c::d", false), ("crate::*", true), ("f::g", false)];
        assert_eq!(marks, expected.map(|(path, in_test)| (path.to_owned(), in_test)));
    }
}
