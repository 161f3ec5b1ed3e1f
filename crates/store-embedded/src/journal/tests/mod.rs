//! Tests of the journal: on a simulated disk that fills up, fails, is killed and loses power, and on real files.

#![expect(clippy::cast_possible_truncation, reason = "the tests' own small numbers")]

mod crash;
mod faults;
mod files;
mod model;
pub(crate) mod sim_disk;

/// Opens a simulated disk.
pub(crate) fn open_sim(
    disk: &sim_disk::SimDisk,
    schema: u32,
    replay: &mut dyn FnMut(super::Change<'_>) -> Result<(), &'static str>,
) -> Result<super::OpenJournal, super::OpenError> {
    super::open_on(std::sync::Arc::new(disk.clone()), super::Options::new("sim", schema), replay)
}
