//! The scripts, one a verb or a small group of them. Each is a file with a header that states what it takes and answers.

use crate::link::Script;

macro_rules! script {
    ($($file:literal),+) => {
        Script::new(concat!($(include_str!(concat!("../scripts/", $file)), "\n"),+))
    };
}

/// Every script. Those that spend or approve wait for replicas, if the link is told to.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) admit: Script,
    pub(super) check: Script,
    pub(super) settle: Script,
    pub(super) cancel: Script,
    pub(super) look: Script,
    pub(super) forget: Script,
    pub(super) unlock: Script,
    pub(super) quota: Script,
    pub(super) reply: Script,
    pub(super) import: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            admit: script!("prelude.lua", "records.lua", "admit.lua").confirmed(),
            check: script!("prelude.lua", "records.lua", "check.lua").confirmed(),
            settle: script!("prelude.lua", "records.lua", "settle.lua"),
            cancel: script!("prelude.lua", "records.lua", "cancel.lua").confirmed(),
            look: script!("prelude.lua", "records.lua", "look.lua"),
            forget: script!("prelude.lua", "records.lua", "forget.lua"),
            unlock: script!("prelude.lua", "records.lua", "unlock.lua"),
            quota: script!("prelude.lua", "quota.lua").confirmed(),
            reply: script!("prelude.lua", "reply.lua"),
            import: script!("prelude.lua", "import.lua"),
        }
    }
}
