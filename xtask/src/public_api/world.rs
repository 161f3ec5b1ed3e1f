//! Our libraries as modules with items, and names followed through re-exports from one crate to the other.

use std::collections::BTreeMap;

use proc_macro2::{TokenStream, TokenTree};
use xshell::Shell;

use super::items::{self, Angles, Raw};
use super::macros::Macros;
use crate::Result;

/// A name that a module takes from elsewhere: `use path as name`; a glob has the name `*`.
#[derive(Debug)]
pub(super) struct Use {
    pub(super) path: Vec<String>,
    pub(super) name: String,
    pub(super) public: bool,
}

/// A block of methods, or of a trait, for the type of that path.
#[derive(Debug)]
pub(super) struct Implementation {
    self_type: Vec<String>,
    /// The header of a trait's; `None` for the type's own methods.
    pub(super) of_trait: Option<String>,
    pub(super) methods: Vec<String>,
}

#[derive(Debug, Default)]
pub(super) struct Module {
    pub(super) public: bool,
    /// Declaration and whether it is public, by name.
    pub(super) items: BTreeMap<String, (String, bool)>,
    pub(super) children: Vec<String>,
    pub(super) uses: Vec<Use>,
    implementations: Vec<Implementation>,
}

impl Module {
    /// Takes an item in that is no module and no macro; `behind` is shown behind its declaration.
    fn add(&mut self, item: &Raw, behind: &str) {
        let Some((keyword, name)) = item.keyword_and_name() else { return };
        match keyword.as_str() {
            "use" => self.uses.extend(uses(item)),
            "impl" => self.implementations.push(implementation(item)),
            _ => {
                self.items.insert(name, (item.declaration() + behind, item.public));
            }
        }
    }
}

/// Where something is: the crate, then modules, then perhaps the item.
pub(super) type Path = Vec<String>;

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Module(Path),
    Item(Path),
}

/// How often a name may be passed on before it counts as lost.
const MAX_STEPS: usize = 16;

/// All modules by path.
#[derive(Debug, Default)]
pub(super) struct World(pub(super) BTreeMap<Path, Module>);

impl World {
    /// Reads a crate: its name in code, and the directory of its `lib.rs`.
    pub(super) fn read(&mut self, shell: &Shell, name: &str, source: &str) -> Result<()> {
        let text = shell.read_file(format!("{source}/lib.rs"))?;
        self.module(shell, vec![name.to_owned()], true, &text.parse::<TokenStream>()?, source)
    }

    fn module(&mut self, shell: &Shell, path: Path, public: bool, tokens: &TokenStream, folder: &str) -> Result<()> {
        let mut module = Module { public, ..Module::default() };
        let mut macros = Macros::default();
        // What is only there for tests promises nothing.
        for item in items::items(tokens).into_iter().filter(|item| !item.is_cfg("test")) {
            let named = item.keyword_and_name();
            match named {
                Some((keyword, name)) if keyword == "mod" => {
                    let inside = format!("{folder}/{name}");
                    let child: Path = path.iter().cloned().chain([name.clone()]).collect();
                    let body = match &item.body {
                        Some(body) => body.stream(),
                        None => file_of(shell, &inside)?.parse::<TokenStream>()?,
                    };
                    self.module(shell, child, item.public, &body, &inside)?;
                    module.children.push(name);
                }
                Some((keyword, name)) if keyword == "macro_rules" => {
                    macros.define(&name, &item);
                    let exported = item.has_attribute("macro_export");
                    module.items.insert(name.clone(), (format!("macro {name} !"), exported));
                }
                Some(_) => module.add(&item, ""),
                None => {
                    let (made, behind) = macros.expand(&item).unwrap_or_default();
                    for item in items::items(&made) {
                        module.add(&item, &behind);
                    }
                }
            }
        }
        self.0.insert(path, module);
        Ok(())
    }

    /// Follows `path` as it is written in the module `from`; `None` if it leads out of our crates.
    pub(super) fn resolve(&self, from: &[String], path: &[String]) -> Option<Found> {
        self.follow(from, path, MAX_STEPS)
    }

    fn follow(&self, from: &[String], path: &[String], steps: usize) -> Option<Found> {
        let steps = steps.checked_sub(1)?;
        let (first, rest) = path.split_first()?;
        let crate_root = from.first()?;
        let (mut found, rest) = match first.as_str() {
            "crate" => (Found::Module(vec![crate_root.clone()]), rest),
            "self" => (Found::Module(from.to_vec()), rest),
            "super" => (Found::Module(from.split_last()?.1.to_vec()), rest),
            name if self.0.contains_key([name.to_owned()].as_slice()) => (Found::Module(vec![name.to_owned()]), rest),
            _ => (Found::Module(from.to_vec()), path),
        };
        for segment in rest.iter().filter(|segment| *segment != "self") {
            let Found::Module(module) = found else { return None };
            found = self.named(&module, segment, steps)?;
        }
        Some(found)
    }

    fn named(&self, path: &[String], name: &str, steps: usize) -> Option<Found> {
        let module = self.0.get(path)?;
        let inside: Path = path.iter().cloned().chain([name.to_owned()]).collect();
        if name == "super" {
            return Some(Found::Module(path.split_last()?.1.to_vec()));
        }
        if module.children.iter().any(|child| child == name) {
            return Some(Found::Module(inside));
        }
        if module.items.contains_key(name) {
            return Some(Found::Item(inside));
        }
        let by_name = module.uses.iter().find(|used| used.name == name);
        if let Some(used) = by_name {
            return self.follow(path, &used.path, steps);
        }
        let globs = module.uses.iter().filter(|used| used.name == "*");
        globs.into_iter().find_map(|glob| match self.follow(path, &glob.path, steps) {
            Some(Found::Module(target)) => self.named(&target, name, steps.checked_sub(1)?),
            _ => None,
        })
    }

    /// Everything that is implemented for the item at `path`, in its crate.
    pub(super) fn implementations(&self, path: &Path) -> Vec<&Implementation> {
        let modules = self.0.iter().filter(|(module, _)| module.first() == path.first());
        let all = modules.flat_map(|(at, module)| module.implementations.iter().map(move |found| (at, found)));
        all.filter(|(at, found)| self.resolve(at, &found.self_type) == Some(Found::Item(path.clone())))
            .map(|(_, found)| found)
            .collect()
    }
}

fn file_of(shell: &Shell, inside: &str) -> Result<String> {
    let flat = format!("{inside}.rs");
    let nested = format!("{inside}/mod.rs");
    Ok(shell.read_file(if shell.path_exists(&flat) { flat } else { nested })?)
}

/// The names that one `use` brings.
fn uses(item: &Raw) -> Vec<Use> {
    let tree: Vec<TokenTree> = item.head.iter().skip(1).cloned().collect();
    let mut found = Vec::new();
    branches(&[], &tree, &mut found);
    let whole = |(path, name)| Use { path, name, public: item.public };
    found.into_iter().map(whole).collect()
}

fn branches(stem: &[String], tree: &[TokenTree], found: &mut Vec<(Path, String)>) {
    let mut path = stem.to_vec();
    let mut alias = None;
    let mut tokens = tree.iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(word) if word == "as" => alias = tokens.next().map(ToString::to_string),
            TokenTree::Ident(word) => path.push(word.to_string()),
            TokenTree::Punct(star) if star.as_char() == '*' => {
                found.push((path, "*".to_owned()));
                return;
            }
            TokenTree::Group(group) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
                inner
                    .split(comma)
                    .filter(|branch| !branch.is_empty())
                    .for_each(|branch| branches(&path, branch, found));
                return;
            }
            _ => {}
        }
    }
    let named = path.iter().rev().find(|segment| *segment != "self").cloned();
    if let Some(name) = alias.or(named) {
        found.push((path, name));
    }
}

/// `impl<A> B<A> { … }` and `impl C for B { … }`.
fn implementation(item: &Raw) -> Implementation {
    let mut angles = Angles::default();
    let mut target = Vec::new();
    let mut of_trait = false;
    for token in item.head.iter().skip(1) {
        let inside = angles.after(token) > 0;
        match token.to_string().as_str() {
            "for" if !inside => {
                of_trait = true;
                target.clear();
            }
            "where" if !inside => break,
            text if !inside && matches!(token, TokenTree::Ident(_)) => target.push(text.to_owned()),
            _ => {}
        }
    }
    let methods = item.body.iter().flat_map(|body| items::items(&body.stream()));
    let public = methods.filter(|method| method.public && !method.is_cfg("test"));
    Implementation {
        self_type: target,
        of_trait: of_trait.then(|| items::rendered(item.head.iter().cloned().collect())),
        methods: public.map(|method| method.declaration()).collect(),
    }
}
