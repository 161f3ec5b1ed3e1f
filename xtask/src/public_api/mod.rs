//! The public interface of the library `verifyd`, as a committed listing: what a caller can name, one line each.
//!
//! `docs/public-api.txt` is made from the sources of our libraries alone, so it needs no other toolchain and no program to
//! install. Its first line names the version whose interface it is. `cargo xtask ci` fails when the listing is not what the
//! sources say; `cargo xtask public-api` writes it, but refuses to drop or change a line of a released version until the
//! version in Cargo.toml has made the step that semver asks for. What the feature `testing` adds is not under that promise.

mod items;
mod macros;
mod world;

use std::collections::BTreeSet;

use xshell::Shell;

use crate::Result;
use crate::project;
use crate::steps::Outcome;
use world::{Found, Path, World};

const LISTING: &str = "docs/public-api.txt";
const UNRELEASED: &str = " (unreleased)";
/// The libraries by their names in code, and where their sources are.
const CRATES: &[(&str, &str)] = &[
    ("verifyd", "crates/verifyd/src"),
    ("verifyd_core", "crates/core/src"),
    ("verifyd_senders", "crates/senders/src"),
    ("verifyd_store_embedded", "crates/store-embedded/src"),
];

/// The options of `cargo xtask public-api`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Freezes the listing as that of the version in Cargo.toml, which is being released
    #[arg(long)]
    release: bool,
}

/// Writes the listing, unless that would break what a released version promised.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let shell = project::shell()?;
    let (version, now) = (version(&shell)?, listing(&shell)?);
    let before = if shell.path_exists(LISTING) { shell.read_file(LISTING)? } else { String::new() };
    if let Some(why) = broken_promise(&before, &now, &version) {
        return Err(why.into());
    }
    let still_released = released(&before) == Some(version.as_str());
    let mark = if arguments.release || still_released { "" } else { UNRELEASED };
    shell.write_file(LISTING, text(&version, mark, &now))?;
    println!("{LISTING}: {} lines of verifyd {version}{mark}", now.len());
    Ok(())
}

/// For `cargo xtask ci`: the committed listing is what the sources say.
pub(crate) fn check() -> Result<Outcome> {
    let shell = project::shell()?;
    let (version, now) = (version(&shell)?, listing(&shell)?);
    let before = shell.read_file(LISTING)?;
    if let Some(why) = broken_promise(&before, &now, &version) {
        return Err(why.into());
    }
    let known: BTreeSet<String> = lines(&before).map(str::to_owned).collect();
    let differing: Vec<&String> = known.symmetric_difference(&now).collect();
    match differing.first() {
        None => Ok(Outcome::Passed),
        Some(first) => Err(format!(
            "{LISTING} is stale in {} lines, such as\n    {first}\nrun `cargo xtask public-api` and look at the difference",
            differing.len()
        )
        .into()),
    }
}

fn text(version: &str, mark: &str, now: &BTreeSet<String>) -> String {
    let head = format!("# verifyd {version}{mark}: made by `cargo xtask public-api`");
    let lines = std::iter::once(head.as_str()).chain(now.iter().map(String::as_str));
    lines.flat_map(|line| [line, "\n"]).collect()
}

fn lines(listing: &str) -> impl Iterator<Item = &str> {
    listing.lines().skip(1)
}

/// The version whose interface a listing is, if that is released.
fn released(listing: &str) -> Option<&str> {
    let first = listing.lines().next()?.strip_prefix("# verifyd ")?;
    let (version, _) = first.split_once(": ")?;
    Some(version).filter(|version| !version.ends_with(UNRELEASED))
}

/// What a listing of a released version has and the sources have no longer, unless the version made its step.
fn broken_promise(before: &str, now: &BTreeSet<String>, version: &str) -> Option<String> {
    let promised = released(before)?;
    let gone: Vec<&str> = lines(before).filter(|line| !now.contains(*line)).collect();
    let first = gone.first()?;
    if may_break(promised, version) {
        return None;
    }
    Some(format!(
        "{} lines of the public interface of {promised} are gone or changed, such as\n    {first}\nkeep them, or make the step \
         that semver asks for in Cargo.toml (now {version}), say so in CHANGELOG.md and run `cargo xtask public-api`",
        gone.len()
    ))
}

/// Whether `to` may break what `from` promised: another major version, or another minor one before 1.0.
fn may_break(from: &str, to: &str) -> bool {
    let parts = |version: &str| -> Vec<u64> { version.split(['.', '-']).map_while(|part| part.parse().ok()).collect() };
    match (parts(from).as_slice(), parts(to).as_slice()) {
        ([0, from_minor, ..], [to_major, to_minor, ..]) => *to_major > 0 || to_minor > from_minor,
        ([from_major, ..], [to_major, ..]) => to_major > from_major,
        _ => false,
    }
}

fn version(shell: &Shell) -> Result<String> {
    let manifest: toml::Table = shell.read_file("Cargo.toml")?.parse()?;
    let version = manifest.get("workspace").and_then(|workspace| workspace.get("package")?.get("version")?.as_str());
    Ok(version.ok_or("Cargo.toml has no version of the workspace")?.to_owned())
}

fn listing(shell: &Shell) -> Result<BTreeSet<String>> {
    let mut world = World::default();
    for (name, source) in CRATES {
        world.read(shell, name, source)?;
    }
    let mut out = BTreeSet::new();
    list(&world, &vec!["verifyd".to_owned()], "verifyd", &mut out);
    Ok(out)
}

/// The public names of the module at `path`, which callers know as `shown`.
fn list(world: &World, path: &Path, shown: &str, out: &mut BTreeSet<String>) {
    let Some(module) = world.0.get(path) else { return };
    let of = |name: &str| -> Path { path.iter().cloned().chain([name.to_owned()]).collect() };
    for (name, _) in module.items.iter().filter(|(_, (_, public))| *public) {
        item(world, &of(name), &format!("{shown}::{name}"), out);
    }
    for child in &module.children {
        let public = world.0.get(&of(child)).is_some_and(|child| child.public);
        if public {
            list(world, &of(child), &format!("{shown}::{child}"), out);
        }
    }
    for used in module.uses.iter().filter(|used| used.public) {
        let name = format!("{shown}::{}", used.name);
        match world.resolve(path, &used.path) {
            Some(Found::Module(target)) if target.iter().any(|segment| segment == "testing") => {}
            Some(Found::Module(target)) if used.name == "*" => list(world, &target, shown, out),
            Some(Found::Module(target)) => list(world, &target, &name, out),
            Some(Found::Item(target)) => item(world, &target, &name, out),
            None => {
                // Never of ours, says a test: a foreign name is part of the interface too.
                out.insert(format!("{name}: use {}", used.path.join("::")));
            }
        }
    }
}

/// A declaration and what is implemented for it.
fn item(world: &World, path: &Path, shown: &str, out: &mut BTreeSet<String>) {
    let declared = path.split_last().and_then(|(name, module)| world.0.get(module)?.items.get(name));
    let Some((declaration, _)) = declared else { return };
    out.insert(format!("{shown}: {declaration}"));
    for implementation in world.implementations(path) {
        match &implementation.of_trait {
            Some(header) => {
                out.insert(format!("{shown}: {header}"));
            }
            None => out.extend(implementation.methods.iter().map(|method| format!("{shown}::{method}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(lines: &[&str]) -> BTreeSet<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn a_released_line_stays_until_the_version_makes_its_step() {
        let before = text("0.1.3", "", &set(&["a", "b"]));
        assert_eq!(broken_promise(&before, &set(&["a", "b", "c"]), "0.1.3"), None);
        assert!(broken_promise(&before, &set(&["a"]), "0.1.4").unwrap().contains("1 lines of the public interface"));
        assert_eq!(broken_promise(&before, &set(&["a"]), "0.2.0"), None);
        let unreleased = text("0.1.3", UNRELEASED, &set(&["a", "b"]));
        assert_eq!(broken_promise(&unreleased, &set(&["a"]), "0.1.3"), None);
    }

    #[test]
    fn steps_are_semver_s() {
        for (from, to, may) in [
            ("0.1.0", "0.1.9", false),
            ("0.1.0", "0.2.0", true),
            ("0.9.0", "1.0.0", true),
            ("1.2.0", "1.3.0", false),
            ("1.2.0", "2.0.0", true),
            ("1.2.0", "", false),
        ] {
            assert_eq!(may_break(from, to), may, "{from} to {to}");
        }
    }

    #[test]
    fn names_are_followed_through_our_crates() {
        let now = listing(&project::shell().unwrap()).unwrap();
        for begins in [
            "verifyd::Verifier::async fn start (",
            "verifyd::store::Store: trait Store",
            "verifyd::phone::PhoneNumber::const fn region (",
            "verifyd::phone::PhoneNumber: impl fmt::Display for PhoneNumber",
            "verifyd::senders::twilio::TwilioSettings: ",
            "verifyd::embedded::EmbeddedStore::async fn close (",
            "verifyd::sms::get_sms_service: fn get_sms_service",
            "verifyd::VerificationId::const fn as_bytes (",
            "verifyd::VerificationId::fn generate (",
            "verifyd::phone::NumberType: ",
        ] {
            assert!(now.iter().any(|line| line.starts_with(begins)), "{begins} is missing");
        }
        // What leads nowhere would be a hole in the listing.
        let lost: Vec<&String> = now.iter().filter(|line| line.contains(": use verifyd")).collect();
        assert!(lost.is_empty(), "{lost:?}");
        assert!(!now.iter().any(|line| line.contains("FakeClock")));
    }
}
