//! The external suites: programs in other languages that hold the built binary against something that is not ours.
//!
//! A suite is a row of [`SUITES`]: its name, how it is set up and how it is run. Setting up installs only what is missing.

use std::path::Path;

use xshell::{Shell, cmd};

use crate::Result;
use crate::node;
use crate::project;
use crate::python;
use crate::steps::Outcome;

/// One suite. It passes if its program exits with 0.
pub(crate) struct Suite {
    /// What `--only` calls it.
    pub(crate) name: &'static str,
    needs: Needs,
    /// The script, relative to the root; it gets the path of the built `verifyd`, and the directory of Node's packages if it
    /// needs any. Of a crate, its manifest.
    script: &'static str,
}

/// What runs a suite's script.
enum Needs {
    /// Python with the packages of this file, relative to the root, in an environment of its own.
    Python { requirements: &'static str },
    /// Python as the system has it, with its standard library alone.
    PlainPython,
    /// The same, and Node with the packages that the `package-lock.json` in this directory pins.
    PythonAndNode { requirements: &'static str, packages: &'static str },
    /// A crate that is no member of the workspace: its tests run with our lock file and our target directory.
    Crate,
}

const SUITES: &[Suite] = &[
    Suite {
        name: "phone-numbers",
        needs: Needs::Python { requirements: "tests/differential/requirements.txt" },
        script: "tests/differential/phone_numbers.py",
    },
    Suite { name: "login-form", needs: Needs::PlainPython, script: "tests/examples/login_form.py" },
    Suite {
        name: "proofs",
        needs: Needs::PythonAndNode { requirements: "examples/proofs/requirements.txt", packages: "examples/proofs" },
        script: "tests/proofs/verifiers.py",
    },
    Suite {
        name: "flask",
        needs: Needs::Python { requirements: "examples/flask/requirements.txt" },
        script: "examples/flask/run_tests.py",
    },
    Suite {
        name: "schemathesis",
        needs: Needs::Python { requirements: "tests/schemathesis/requirements.txt" },
        script: "tests/schemathesis/run.py",
    },
    Suite { name: "outside", needs: Needs::Crate, script: "tests/outside/Cargo.toml" },
];

/// All suites, or the one of that name.
pub(crate) fn chosen(only: Option<&str>) -> Result<Vec<&'static Suite>> {
    let chosen: Vec<_> = SUITES.iter().filter(|suite| only.is_none_or(|name| name == suite.name)).collect();
    if chosen.is_empty() {
        let known: Vec<_> = SUITES.iter().map(|suite| suite.name).collect();
        return Err(format!("no such suite; there is: {}", known.join(", ")).into());
    }
    Ok(chosen)
}

impl Suite {
    /// Sets up and runs the suite. An error is a failure: a suite is never passed over in silence.
    pub(crate) fn run(&self, shell: &Shell) -> Result<Outcome> {
        let metadata = project::metadata(shell)?;
        let binary = metadata.target_directory.join("debug").join("verifyd");
        let script = self.script;
        if !shell.path_exists(script) {
            return Err(format!("{script} is missing").into());
        }
        match self.needs {
            Needs::Python { requirements } => {
                let home = project::scratch(&metadata, self.name);
                let python = python::environment(shell, &home, Path::new(requirements))?;
                cmd!(shell, "{python} {script} {binary}").run()?;
            }
            Needs::PlainPython => {
                if !project::answers(shell, "python3", &["--version"]) {
                    project::install(shell, &["python3"])?;
                }
                cmd!(shell, "python3 {script} {binary}").run()?;
            }
            Needs::PythonAndNode { requirements, packages } => {
                let home = project::scratch(&metadata, self.name);
                let python = python::environment(shell, &home.join("python"), Path::new(requirements))?;
                let node = node::environment(shell, &home.join("node"), Path::new(packages))?;
                cmd!(shell, "{python} {script} {binary} {node}").run()?;
            }
            Needs::Crate => {
                // The versions that are built already; cargo drops from the copy what the crate does not use.
                shell.copy_file("Cargo.lock", Path::new(script).with_file_name("Cargo.lock"))?;
                let target = &metadata.target_directory;
                cmd!(shell, "cargo test --offline --manifest-path {script} --target-dir {target}").run()?;
            }
        }
        Ok(Outcome::Passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_name_all_are_chosen_and_an_unknown_name_is_refused() {
        assert_eq!(chosen(None).unwrap().len(), SUITES.len());
        assert_eq!(chosen(Some("phone-numbers")).unwrap().len(), 1);
        let refused = chosen(Some("phone")).err().unwrap().to_string();
        assert!(refused.starts_with("no such suite; there is: phone-numbers, "), "{refused}");
    }

    #[test]
    fn the_files_of_every_suite_exist() {
        let shell = project::shell().unwrap();
        for suite in SUITES {
            let (requirements, packages) = match suite.needs {
                Needs::Python { requirements } => (Some(requirements), None),
                Needs::PlainPython | Needs::Crate => (None, None),
                Needs::PythonAndNode { requirements, packages } => (Some(requirements), Some(packages)),
            };
            let locks = packages.map(|packages| format!("{packages}/{}", node::LOCK));
            for path in [Some(suite.script), requirements, locks.as_deref()].into_iter().flatten() {
                assert!(shell.path_exists(path), "{path}");
            }
        }
    }
}
