//! What the machine was doing meanwhile, from `/proc`: CPU time of processes, and the share of all cores that went to others.
//!
//! A ratio of two figures that were taken one after the other is worth something only while nobody else used the cores, so
//! every measured span is between two [`Reading`]s and is refused beyond [`FOREIGN_AT_MOST`]. Linux only.

use std::num::ParseIntError;
use std::time::Duration;

use xshell::cmd;

use crate::Result;
use crate::project;

/// The server's core.
pub(super) const SERVER_CORE: u32 = 0;
/// The load generator's core.
pub(super) const GENERATOR_CORE: u32 = 1;

/// The share of all cores' time that other processes and the hypervisor may take in a measured span: a tenth of one of two
/// cores. A process that shares our core costs us caches besides its time, so the error in CPU time is of the same size, and
/// half of it hits the contestant that is compared with; 5 % of error is an eighth of what the tightest target leaves.
const FOREIGN_AT_MOST: f64 = 0.05;
/// A round in which others used the machine is repeated, so many times in all.
const REPEATS_AT_MOST: usize = 10;

/// `/proc` counts in hundredths of a second (`USER_HZ`, the same on all common architectures).
const TICK: Duration = Duration::from_millis(10);

/// The counters of all cores at an instant.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    /// Ticks in which something ran, of any process and the kernel, and those the hypervisor kept for others.
    busy: u64,
    /// All ticks.
    all: u64,
    /// CPU time of the processes that belong to the bench.
    own: Duration,
}

impl Reading {
    /// The counters now, with the CPU time that our processes have had.
    pub(super) fn take(own: Duration) -> Result<Self> {
        let text = std::fs::read_to_string("/proc/stat")?;
        parse(&text, own).ok_or_else(|| "cannot read /proc/stat".into())
    }

    /// Which share of all cores went to others from `self` to `later`: 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    pub(super) fn foreign_until(&self, later: &Self) -> f64 {
        let all = later.all.saturating_sub(self.all).max(1) as f64;
        let busy = later.busy.saturating_sub(self.busy) as f64;
        let own = later.own.saturating_sub(self.own).as_secs_f64() / TICK.as_secs_f64();
        // Ticks are counted to whole ones and our own time exactly: a little below nothing is nothing.
        ((busy - own) / all).max(0.0)
    }
}

/// Whether the machine is quiet enough, over the rounds of a bench.
#[derive(Default)]
pub(super) struct Quiet {
    /// Rounds that had to be repeated.
    pub(super) repeats: usize,
}

impl Quiet {
    /// Whether a round counts in which others had this share of all cores; an error after too many that did not.
    pub(super) fn enough(&mut self, foreign: f64) -> Result<bool> {
        if foreign <= FOREIGN_AT_MOST {
            return Ok(true);
        }
        self.repeats += 1;
        println!("a round is repeated: others had {:.0} % of the machine in one of its slices", foreign * 100.0);
        if self.repeats <= REPEATS_AT_MOST {
            return Ok(false);
        }
        let (rounds, most) = (self.repeats, FOREIGN_AT_MOST * 100.0);
        let text = "the machine is too noisy for a ratio: others had more than";
        Err(format!("{text} {most:.0} % of its cores in {rounds} rounds").into())
    }
}

/// The line of all cores: user, nice, system, idle, iowait, irq, softirq, steal, and guests, which user holds already.
fn parse(text: &str, own: Duration) -> Option<Reading> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().take(8).map(str::parse).collect::<Result<_, ParseIntError>>().ok()?;
    let &[user, nice, system, idle, io_wait, irq, soft_irq, steal] = ticks.as_slice() else { return None };
    let busy = user + nice + system + irq + soft_irq + steal;
    Some(Reading { busy, all: busy + idle + io_wait, own })
}

/// CPU time of a process with all its threads and the children it has waited for; `None` where the system does not tell.
pub(super) fn cpu_time(process: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is the name in brackets; user and system time are the fields 14 and 15, those of children 16 and 17.
    let fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(4);
    let ticks: u64 = fields.map(str::parse::<u64>).sum::<Result<_, _>>().ok()?;
    Some(TICK * u32::try_from(ticks).ok()?)
}

/// CPU time of this process.
pub(super) fn own_cpu_time() -> Option<Duration> {
    cpu_time(std::process::id())
}

/// Keeps this process on one core until it is dropped.
pub(super) struct Pinned {
    before: String,
}

impl Pinned {
    /// Moves every thread to `core`. Children started from now on inherit it, unless they are told otherwise.
    pub(super) fn to(core: u32) -> Result<Self> {
        let before = allowed_cores()?;
        set_cores(&core.to_string())?;
        Ok(Self { before })
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // What follows merely runs on one core if this fails.
        drop(set_cores(&self.before));
    }
}

fn allowed_cores() -> Result<String> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let cores = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    cores.map(|cores| cores.trim().to_owned()).ok_or_else(|| "/proc/self/status names no cores".into())
}

fn set_cores(cores: &str) -> Result<()> {
    let own = std::process::id().to_string();
    let shell = project::shell()?;
    cmd!(shell, "taskset --all-tasks --cpu-list --pid {cores} {own}").quiet().ignore_stdout().run()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "cpu  100 0 50 800 10 0 5 5 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n";

    #[test]
    fn what_is_not_ours_is_foreign() {
        let before = parse(BEFORE, Duration::ZERO).unwrap();
        // 100 ticks more in all: 60 of a user, 2 stolen, 38 idle; half a second of it was ours.
        let later = parse("cpu  160 0 50 838 10 0 5 7 0 0\n", Duration::from_millis(500)).unwrap();
        assert!((before.foreign_until(&later) - 0.12).abs() < 1e-9);
        let all_ours = parse("cpu  160 0 50 838 10 0 5 7 0 0\n", Duration::from_millis(630)).unwrap();
        assert!(before.foreign_until(&all_ours).abs() < 1e-9);
    }

    #[test]
    fn a_noisy_machine_is_given_up_after_ten_repeats() {
        let mut quiet = Quiet::default();
        assert!(quiet.enough(FOREIGN_AT_MOST).unwrap());
        for _ in 0..REPEATS_AT_MOST {
            assert!(!quiet.enough(FOREIGN_AT_MOST + 0.01).unwrap());
        }
        assert!(quiet.enough(0.0).unwrap());
        assert!(quiet.enough(FOREIGN_AT_MOST + 0.01).is_err());
    }

    #[test]
    fn an_unknown_form_is_not_guessed_at() {
        for text in ["", "cpu0 1 2 3 4 5 6 7 8\n", "cpu  1 2 3\n", "cpu  1 2 3 4 5 6 7 x\n"] {
            assert!(parse(text, Duration::ZERO).is_none(), "{text:?}");
        }
    }
}
