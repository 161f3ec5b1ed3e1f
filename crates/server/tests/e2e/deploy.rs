//! What `deploy/` shows: the composed fleet is YAML whose parts exist, and its nodes have a configuration that is valid.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

use crate::program::Program;

/// 32 bytes in base64.
const KEY: &str = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const SECRETS: &str = "/run/secrets/";

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

fn compose() -> Yaml {
    let text = fs::read_to_string(deploy().join("compose.yaml")).unwrap();
    YamlLoader::load_from_str(&text).unwrap().remove(0)
}

/// A field of a service, or of what it merges in.
fn field<'a>(service: &'a Yaml, name: &str) -> &'a Yaml {
    if service[name].is_badvalue() { &service["<<"][name] } else { &service[name] }
}

fn texts(list: &Yaml) -> Vec<&str> {
    list.as_vec().map(|items| items.iter().filter_map(Yaml::as_str).collect()).unwrap_or_default()
}

/// The services that run verifyd, with what is in their environment.
fn nodes(compose: &Yaml) -> Vec<(String, BTreeMap<String, String>)> {
    let services = compose["services"].as_hash().unwrap().iter();
    let nodes = services.filter(|(name, _)| name.as_str().unwrap().starts_with("verifyd"));
    let text = |yaml: &Yaml| yaml.as_str().unwrap().to_owned();
    nodes
        .map(|(name, service)| {
            let environment = field(service, "environment").as_hash().unwrap().iter();
            (text(name), environment.map(|(name, value)| (text(name), text(value))).collect())
        })
        .collect()
}

#[test]
fn the_nodes_of_the_composed_fleet_have_a_valid_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = nodes(&compose());
    assert_eq!(nodes.len(), 2);
    for (name, environment) in nodes {
        let mut program = Program::new(dir.path(), &["config", "check", "--json"]);
        for (variable, value) in environment {
            let value = match (value.strip_prefix(SECRETS), value.strip_prefix("/etc/verifyd/")) {
                (Some(secret), _) => {
                    let file = dir.path().join(secret);
                    let text = if secret == "verifyd_keys" { KEY } else { "0123456789abcdef0123456789abcdef" };
                    fs::write(&file, text).unwrap();
                    file
                }
                (None, Some(file)) => deploy().join(file),
                (None, None) => PathBuf::from(value),
            };
            program = program.with(&variable, value.to_str().unwrap());
        }
        let output = program.output();
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        // Not even a warning: a variable that no key knows would be one.
        let remarks = told["notes"].as_array().unwrap();
        assert!(output.status.success() && remarks.iter().all(|note| note["level"] == "remark"), "{name}: {told}");
    }
}

#[test]
fn what_the_composed_fleet_names_is_there() {
    let compose = compose();
    let declared: Vec<&str> = compose["secrets"].as_hash().unwrap().keys().filter_map(Yaml::as_str).collect();
    let services = compose["services"].as_hash().unwrap();
    for (name, service) in services {
        let name = name.as_str().unwrap();
        let secrets = texts(field(service, "secrets"));
        assert!(secrets.iter().all(|secret| declared.contains(secret)), "{name}: {secrets:?}");
        for mount in texts(field(service, "volumes")) {
            let source = mount.split(':').next().unwrap();
            let here = source.strip_prefix("./").is_some_and(|file| deploy().join(file).exists());
            assert!(here || !compose["volumes"][source].is_badvalue(), "{name}: {mount}");
        }
        for network in texts(field(service, "networks")) {
            assert!(!compose["networks"][network].is_badvalue(), "{name}: {network}");
        }
        let build = field(service, "build");
        let file = build["dockerfile"].as_str().map(|file| deploy().join("..").join(file));
        assert!(file.is_none_or(|file| file.exists()), "{name}");
    }
    // The secrets that nodes read are mounted into them.
    for (name, environment) in nodes(&compose) {
        let service = &compose["services"][name.as_str()];
        let mounted = texts(field(service, "secrets"));
        let read: Vec<&str> = environment.values().filter_map(|value| value.strip_prefix(SECRETS)).collect();
        assert!(!read.is_empty() && read.iter().all(|secret| mounted.contains(secret)), "{name}: {read:?}");
    }
    // The balancer asks the nodes under their names, and Valkey evicts nothing and keeps what it has.
    let caddyfile = fs::read_to_string(deploy().join("Caddyfile")).unwrap();
    for (name, environment) in nodes(&compose) {
        let port = environment["VERIFYD_LISTEN"].rsplit(':').next().unwrap().to_owned();
        assert!(caddyfile.contains(&format!("{name}:{port}")), "{name}");
    }
    let command = texts(&compose["services"]["valkey"]["command"]).join(" ");
    assert!(command.contains("--maxmemory-policy noeviction") && command.contains("--appendonly yes"), "{command}");
}
