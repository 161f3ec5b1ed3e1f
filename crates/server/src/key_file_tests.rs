//! The key file on a real file system.

use std::os::unix::fs::symlink;

use verifyd_core::random::SystemRandom;

use super::*;

const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// No bytes at all.
#[derive(Debug)]
struct FaultyRandom;

impl Random for FaultyRandom {
    fn fill(&self, _bytes: &mut [u8]) -> Result<(), RandomError> {
        Err(RandomError)
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_first_run_makes_a_key_and_the_next_finds_it() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("a/data");
    let first = load_or_create(&dir, &SystemRandom).unwrap();
    assert!(first.created);
    assert_eq!((mode(&dir), mode(&first.path)), (0o700, 0o600));
    assert_eq!(names(&dir), ["keys"]);
    let second = load_or_create(&dir, &SystemRandom).unwrap();
    assert!(!second.created);
    assert_eq!(first.keys.len(), 1);
    assert_eq!(first.keys[0].expose(), second.keys[0].expose());
    assert_ne!(*first.keys[0].expose(), [0; 32]);
}

#[test]
fn two_first_runs_at_once_end_up_with_the_same_key() {
    let root = tempfile::tempdir().unwrap();
    let keys: Vec<FileKeys> = std::thread::scope(|scope| {
        let runs: Vec<_> =
            (0..16).map(|_| scope.spawn(|| load_or_create(root.path(), &SystemRandom).unwrap())).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert!(keys.iter().all(|other| other.keys[0].expose() == keys[0].keys[0].expose()));
    assert_eq!(keys.iter().filter(|keys| keys.created).count(), 1);
    assert_eq!(names(root.path()), ["keys"]);
}

#[test]
fn a_file_that_others_can_read_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let path = load_or_create(root.path(), &SystemRandom).unwrap().path;
    for bits in [0o640, 0o604, 0o620, 0o601, 0o666] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(bits)).unwrap();
        let error = load_or_create(root.path(), &SystemRandom).unwrap_err().to_string();
        let shown = path.display();
        assert_eq!(error, format!("{shown} can be read by others (mode {bits:03o}); run: chmod 600 {shown}"));
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
    load_or_create(root.path(), &SystemRandom).unwrap();
}

#[test]
fn what_is_no_list_of_keys_is_refused_and_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join(KEY_FILE);
    for (text, problem) in [
        ("", "no key given; a key is id:base64 of 32 bytes"),
        ("hunter2", "key 1: expected id:base64 of 32 bytes"),
        ("a:AAAA\n", "key 1: 3 bytes instead of 32; openssl rand -base64 32 makes a good key"),
    ] {
        write_new(&path, text.as_bytes()).unwrap();
        let error = load_or_create(root.path(), &SystemRandom).unwrap_err().to_string();
        assert_eq!(error, format!("{}: {problem}", path.display()));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        std::fs::remove_file(&path).unwrap();
    }
    write_new(&path, &vec![b'#'; usize::try_from(MAX_BYTES).unwrap() + 1]).unwrap();
    assert!(matches!(load_or_create(root.path(), &SystemRandom), Err(KeyFileError::TooLarge(_))));
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(matches!(load_or_create(root.path(), &SystemRandom), Err(KeyFileError::NotAFile(_))));
}

#[test]
fn nothing_is_left_behind_when_it_fails() {
    let root = tempfile::tempdir().unwrap();
    assert!(matches!(load_or_create(root.path(), &FaultyRandom), Err(KeyFileError::NoRandomness)));
    assert_eq!(names(root.path()), [""; 0]);
    // A link to nowhere is a file that cannot be opened and a name that is taken.
    symlink(root.path().join("nowhere"), root.path().join(KEY_FILE)).unwrap();
    assert!(matches!(load_or_create(root.path(), &SystemRandom), Err(KeyFileError::Io { .. })));
    assert_eq!(names(root.path()), ["keys"]);
}

#[test]
fn lists_of_keys_are_read_by_commas_lines_and_alphabets() {
    let text = format!(
        "# comment\n new:{KEY} , b:{}\n\nc:{}# old\n",
        "__8".repeat(14) + "A",
        KEY.replace('A', "/").replace("/=", "8=")
    );
    let keys = parse_keys(&text).unwrap();
    assert_eq!(keys.len(), 3);
    assert_eq!(format!("{keys:?}"), "[MasterKey(new), MasterKey(b), MasterKey(c)]");
    assert_eq!(*keys[2].expose(), [0xff; 32]);
    let list = |n: usize| (0..n).map(|i| format!("k{i}:{KEY}")).collect::<Vec<_>>().join(",");
    assert_eq!(parse_keys(&list(MAX_KEYS)).unwrap().len(), MAX_KEYS);
    assert_eq!(parse_keys(&list(MAX_KEYS + 1)).unwrap_err(), ParseKeysError::TooMany);
}
