//! A disk in memory that remembers what is durable, fails when told, fills up, and can lose power.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use crate::journal::disk::{Claim, Disk, DiskFile};
use crate::journal::error::OpenError;

/// What a disk writes as a whole.
const SECTOR: usize = 512;

/// What happens at one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails, and so does everything after it, as for a process that is no more. A write happens in part.
    Crash,
    /// Input/output error.
    Broken,
    /// A write takes only some bytes; the caller has to go on.
    Short,
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// What was written is there, synced or not.
    Kill,
    /// What was not synced is there by the sector, or is not.
    PowerLoss,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    SetLen(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(at, data) => {
                if bytes.len() < at + data.len() {
                    bytes.resize(at + data.len(), 0);
                }
                bytes[*at..at + data.len()].copy_from_slice(data);
            }
            Self::SetLen(len) => bytes.resize(*len, 0),
        }
    }
}

#[derive(Clone)]
enum NameChange {
    Create(String, usize),
    Rename(String, String),
    Remove(String),
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) -> io::Result<()> {
        match self {
            Self::Create(name, inode) => drop(names.insert(name.clone(), *inode)),
            Self::Rename(from, to) => {
                let inode = names.remove(from).ok_or(io::ErrorKind::NotFound)?;
                names.insert(to.clone(), inode);
            }
            Self::Remove(name) => drop(names.remove(name).ok_or(io::ErrorKind::NotFound)?),
        }
        Ok(())
    }
}

#[derive(Clone, Default)]
struct Inode {
    durable: Vec<u8>,
    unsynced: Vec<Change>,
    current: Vec<u8>,
}

#[derive(Clone, Default)]
struct World {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    unsynced_names: Vec<NameChange>,
    operations: u64,
    syncs: u64,
    faults: BTreeMap<u64, Fault>,
    crashed: bool,
    capacity: Option<usize>,
    rng: u64,
    held: &'static str,
}

impl World {
    fn random(&mut self, below: usize) -> usize {
        self.rng ^= self.rng << 13;
        self.rng ^= self.rng >> 7;
        self.rng ^= self.rng << 17;
        (self.rng % below.max(1) as u64) as usize
    }

    /// Counts an operation that changes the disk and says what goes wrong with it.
    fn step(&mut self) -> io::Result<Option<Fault>> {
        if self.crashed {
            return Err(io::Error::other("crashed"));
        }
        self.operations += 1;
        let fault = self.faults.remove(&self.operations);
        self.crashed = fault == Some(Fault::Crash);
        Ok(fault)
    }

    fn whole_step(&mut self) -> io::Result<()> {
        match self.step()? {
            None | Some(Fault::Short) => Ok(()),
            Some(Fault::Crash | Fault::Broken) => Err(io::Error::other("broken")),
        }
    }

    fn change(&mut self, inode: usize, change: Change) {
        let inode = &mut self.inodes[inode];
        change.apply(&mut inode.current);
        inode.unsynced.push(change);
    }

    fn change_name(&mut self, change: NameChange) -> io::Result<()> {
        self.whole_step()?;
        change.apply(&mut self.names)?;
        self.unsynced_names.push(change);
        Ok(())
    }

    fn used(&self) -> usize {
        self.names.values().map(|inode| self.inodes[*inode].current.len()).sum()
    }

    fn holds(&self, inode: usize) -> bool {
        let name = self.names.iter().find(|(_, found)| **found == inode);
        !self.held.is_empty() && name.is_some_and(|(name, _)| name.starts_with(self.held))
    }

    fn lose_power(&mut self) {
        for index in 0..self.inodes.len() {
            let mut bytes = self.inodes[index].durable.clone();
            for change in std::mem::take(&mut self.inodes[index].unsynced) {
                match change {
                    Change::SetLen(_) if self.random(2) == 0 => change.apply(&mut bytes),
                    Change::SetLen(_) => {}
                    Change::Write(at, data) => {
                        let mut from = 0;
                        while from < data.len() {
                            let to = data.len().min((at + from) / SECTOR * SECTOR + SECTOR - at);
                            if self.random(2) == 0 {
                                Change::Write(at + from, data[from..to].to_vec()).apply(&mut bytes);
                            }
                            from = to;
                        }
                    }
                }
            }
            self.inodes[index] = Inode { durable: bytes.clone(), unsynced: Vec::new(), current: bytes };
        }
        // A file system's journal keeps the order of names.
        let kept = self.random(self.unsynced_names.len() + 1);
        for change in std::mem::take(&mut self.unsynced_names).into_iter().take(kept) {
            change.apply(&mut self.durable_names).unwrap();
        }
        self.names = self.durable_names.clone();
    }
}

/// The disk.
#[derive(Clone, Default)]
pub(crate) struct SimDisk(Arc<Mutex<World>>, Arc<Condvar>);

impl SimDisk {
    pub(crate) fn new(seed: u64) -> Self {
        let disk = Self::default();
        disk.0.lock().unwrap().rng = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        disk
    }

    /// The disk as the next process finds it.
    pub(crate) fn after(&self, end: End) -> Self {
        let mut world = self.0.lock().unwrap().clone();
        if end == End::PowerLoss {
            world.lose_power();
        }
        world.crashed = false;
        world.held = "";
        world.faults.clear();
        world.capacity = None;
        Self(Arc::new(Mutex::new(world)), Arc::default())
    }

    /// Operations so far that change the disk.
    pub(crate) fn operations(&self) -> u64 {
        self.0.lock().unwrap().operations
    }

    /// Syncs of files so far, failed ones too.
    pub(crate) fn syncs(&self) -> u64 {
        self.0.lock().unwrap().syncs
    }

    /// Lets the `n`th operation from now go wrong (1 is the next).
    pub(crate) fn fault(&self, n: u64, fault: Fault) {
        let mut world = self.0.lock().unwrap();
        let at = world.operations + n;
        world.faults.insert(at, fault);
    }

    /// Room for this many bytes more, or for all there may be.
    pub(crate) fn set_room(&self, room: Option<usize>) {
        let mut world = self.0.lock().unwrap();
        world.capacity = room.map(|room| world.used() + room);
    }

    /// Makes writes to files of this kind wait; those to others go on, and with "" all do.
    pub(crate) fn hold(&self, kind: &'static str) {
        self.0.lock().unwrap().held = kind;
        self.1.notify_all();
    }

    /// The files and what is in them.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let world = self.0.lock().unwrap();
        world.names.iter().map(|(name, inode)| (name.clone(), world.inodes[*inode].current.clone())).collect()
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

impl Disk for SimDisk {
    fn claim(&self, _dir: &Path) -> Result<Claim, OpenError> {
        Ok(Claim(None))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut world = self.0.lock().unwrap();
        let inode = world.inodes.len();
        world.change_name(NameChange::Create(name(path), inode))?;
        world.inodes.push(Inode::default());
        Ok(Box::new(SimFile { disk: self.clone(), inode }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let inode = *self.0.lock().unwrap().names.get(&name(path)).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(SimFile { disk: self.clone(), inode }))
    }

    fn list(&self, _dir: &Path) -> io::Result<Vec<String>> {
        Ok(self.0.lock().unwrap().names.keys().cloned().collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.lock().unwrap().change_name(NameChange::Rename(name(from), name(to)))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.lock().unwrap().change_name(NameChange::Remove(name(path)))
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        let mut world = self.0.lock().unwrap();
        world.whole_step()?;
        world.durable_names = world.names.clone();
        world.unsynced_names.clear();
        Ok(())
    }
}

struct SimFile {
    disk: SimDisk,
    inode: usize,
}

impl DiskFile for SimFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut world = self.disk.1.wait_while(self.disk.0.lock().unwrap(), |world| world.holds(self.inode)).unwrap();
        let fault = world.step()?;
        let offset = offset as usize;
        let mut count = match fault {
            None => bytes.len(),
            Some(Fault::Broken) => return Err(io::Error::other("broken")),
            Some(Fault::Short) => bytes.len().div_ceil(2),
            Some(Fault::Crash) => world.random(bytes.len() + 1),
        };
        if let Some(capacity) = world.capacity {
            let others = world.used() - world.inodes[self.inode].current.len();
            let end = world.inodes[self.inode].current.len().max(capacity.saturating_sub(others));
            count = count.min(end.saturating_sub(offset));
            if count == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        world.change(self.inode, Change::Write(offset, bytes[..count].to_vec()));
        if fault == Some(Fault::Crash) { Err(io::Error::other("crashed")) } else { Ok(count) }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let world = self.disk.0.lock().unwrap();
        let current = &world.inodes[self.inode].current;
        let rest = current.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut world = self.disk.0.lock().unwrap();
        world.whole_step()?;
        world.change(self.inode, Change::SetLen(len as usize));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = self.disk.0.lock().unwrap();
        world.syncs += 1;
        world.whole_step()?;
        let inode = &mut world.inodes[self.inode];
        for change in std::mem::take(&mut inode.unsynced) {
            change.apply(&mut inode.durable);
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.0.lock().unwrap().inodes[self.inode].current.len() as u64)
    }
}
