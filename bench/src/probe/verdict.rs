//! Does the drive keep what it acknowledged when the power fails? What can be told of it from here: the decision table.
//!
//! A drive with a volatile cache must do work at every flush; one that does none either ignores flushes or has power for
//! its cache and keeps quiet about it. From outside the two look alike: only its data sheet or a power cut can tell. So
//! no row of the table says that a drive is safe.

use serde::{Deserialize, Serialize};

use super::file::Device;

/// What a flush may add to a write, as a share of the write, and still count as nothing.
const FREE_SHARE: f64 = 0.25;
/// A flush that takes longer has waited for flash to be programmed; a protected cache answers in a fraction of it.
const SLOW_US: f64 = 500.0;
/// Platters at 15 000 turns a minute come round in 4 ms, and a durable write waits for half a turn on average.
const PLATTERS_US: f64 = 2000.0;

/// What the kernel goes by when it decides whether to send flushes at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cache {
    /// The drive has a volatile cache, and is told to flush it.
    Back,
    /// The drive says that it has none; no flush is ever sent.
    Through,
    /// The drive says that it has one, and somebody told the kernel or the file system not to flush it.
    SwitchedOff,
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Medium {
    Flash,
    Platters,
    /// Another machine's idea of a disk: what it does with a flush is out of sight.
    Virtual,
    Unknown,
}

/// What making a write of 4 KiB durable adds to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flush {
    Free,
    Cheap,
    Slow,
    Unmeasured,
}

/// What a durable write of 4 KiB takes as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pace {
    Fast,
    Middling,
    /// As platters have it.
    Slow,
    Unmeasured,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Seen {
    pub(super) cache: Cache,
    pub(super) medium: Medium,
    pub(super) flush: Flush,
    pub(super) pace: Pace,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Unknown,
    FlushSwitchedOff,
    FlushIgnoredOrCacheProtected,
    TooFastForPlatters,
    NoPowerLossProtection,
    FlushWorks,
    WriteThrough,
    WriteThroughFast,
}

/// The verdict as the result file has it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Drive {
    pub(crate) verdict: Verdict,
    /// Whether a broker should say so at its start.
    pub(crate) suspected: bool,
    pub(crate) reason: String,
}

/// The decision table. The first row that fits counts.
pub(super) fn judge(seen: Seen) -> Verdict {
    match seen {
        // Certain, whatever was measured: the kernel's own settings say so.
        Seen { cache: Cache::SwitchedOff, .. } => Verdict::FlushSwitchedOff,
        Seen { cache: Cache::Unknown, .. } => Verdict::Unknown,
        Seen { pace: Pace::Unmeasured, .. } | Seen { flush: Flush::Unmeasured, .. } => Verdict::Unknown,
        // Faster than the medium can turn, so something else answered: a cache, whoever's it is.
        Seen { medium: Medium::Platters, pace: Pace::Fast | Pace::Middling, .. } => Verdict::TooFastForPlatters,
        Seen { cache: Cache::Through, medium: Medium::Flash, pace: Pace::Fast, .. } => Verdict::WriteThroughFast,
        Seen { cache: Cache::Through, .. } => Verdict::WriteThrough,
        // The rest has a volatile cache, by its own word.
        Seen { flush: Flush::Free, .. } => Verdict::FlushIgnoredOrCacheProtected,
        Seen { medium: Medium::Flash, flush: Flush::Slow, .. } => Verdict::NoPowerLossProtection,
        Seen { flush: Flush::Cheap | Flush::Slow, .. } => Verdict::FlushWorks,
    }
}

impl Verdict {
    pub(super) fn suspected(self) -> bool {
        match self {
            Self::FlushSwitchedOff
            | Self::FlushIgnoredOrCacheProtected
            | Self::TooFastForPlatters
            | Self::NoPowerLossProtection => true,
            Self::Unknown | Self::FlushWorks | Self::WriteThrough | Self::WriteThroughFast => false,
        }
    }

    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Unknown => {
                "the kernel does not say what cache the drive has, or too little was measured, or other processes kept the machine \
                 busy meanwhile: how safe it is cannot be seen from here"
            }
            Self::FlushSwitchedOff => {
                "the drive reports a volatile write cache, and this host never flushes it (queue/write_cache was set to write \
                 through, or the file system is mounted without barriers): a power failure loses acknowledged writes unless \
                 the cache is protected"
            }
            Self::FlushIgnoredOrCacheProtected => {
                "the drive reports a volatile write cache, yet flushing it costs nothing: either it (or the host of this \
                 virtual machine) ignores flushes, or the cache is protected against power loss and does not say so; only its \
                 data sheet or a power cut can tell"
            }
            Self::TooFastForPlatters => {
                "a rotating disk cannot make a write durable this fast: a controller's cache or a virtual disk answers, or \
                 flushes are ignored; what is acknowledged is as safe as that cache's battery"
            }
            Self::NoPowerLossProtection => {
                "each flush of the drive's volatile write cache takes as long as programming flash does: it seems to have no \
                 power-loss protection; durable writes are honest and slow"
            }
            Self::FlushWorks => {
                "the drive reports a volatile write cache, and flushing it does take time, as it should; whether everything \
                 survives a power failure cannot be seen from here"
            }
            Self::WriteThrough => {
                "the drive reports no volatile write cache, so no flush is sent and its word is what there is; nothing \
                 measured speaks against it"
            }
            Self::WriteThroughFast => {
                "the drive reports no volatile write cache and is faster than flash can be programmed: its cache is probably \
                 protected against power loss, which its word alone says"
            }
        }
    }

    pub(super) fn drive(self) -> Drive {
        Drive { verdict: self, suspected: self.suspected(), reason: self.reason().to_owned() }
    }
}

impl Cache {
    pub(super) fn of(device: &Device) -> Self {
        let barriers_off = device.mount_options.as_deref().is_some_and(|options| {
            options.split(',').any(|option| matches!(option, "nobarrier" | "barrier=0" | "barrier=none"))
        });
        let back = |cache: &Option<String>| cache.as_deref().map(|cache| cache.trim().starts_with("write back"));
        match (back(&device.write_cache), back(&device.drive_cache)) {
            (Some(true), _) if barriers_off => Self::SwitchedOff,
            (Some(false), Some(true)) => Self::SwitchedOff,
            (Some(true), _) => Self::Back,
            (Some(false), _) => Self::Through,
            (None, _) => Self::Unknown,
        }
    }
}

/// The beginnings of virtual disks' names and parts of their models.
const VIRTUAL_NAMES: [&str; 5] = ["vd", "xvd", "nbd", "rbd", "loop"];
const VIRTUAL_MODELS: [&str; 8] =
    ["qemu", "virtual", "vmware", "vbox", "amazon elastic", "amazon ec2", "persistentdisk", "nvme_card"];

impl Medium {
    pub(super) fn of(device: &Device) -> Self {
        let named =
            device.name.as_deref().is_some_and(|name| VIRTUAL_NAMES.iter().any(|virtual_| name.starts_with(virtual_)));
        let model = device.model.as_deref().unwrap_or_default().to_lowercase();
        if named || VIRTUAL_MODELS.iter().any(|virtual_| model.contains(virtual_)) {
            return Self::Virtual;
        }
        match device.rotational {
            Some(true) => Self::Platters,
            Some(false) => Self::Flash,
            None => Self::Unknown,
        }
    }
}

impl Flush {
    /// Medians in microseconds: of writes, and of the same writes made durable.
    pub(super) fn of(plain: Option<f64>, durable: Option<f64>) -> Self {
        let (Some(plain), Some(durable)) = (plain, durable) else { return Self::Unmeasured };
        match durable - plain {
            added if added <= plain * FREE_SHARE => Self::Free,
            added if added < SLOW_US => Self::Cheap,
            _ => Self::Slow,
        }
    }
}

impl Pace {
    pub(super) fn of(durable: Option<f64>) -> Self {
        match durable {
            None => Self::Unmeasured,
            Some(us) if us < SLOW_US => Self::Fast,
            Some(us) if us < PLATTERS_US => Self::Middling,
            Some(_) => Self::Slow,
        }
    }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
