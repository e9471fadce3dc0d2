//! Every combination of what can be seen, and how it is seen.

use super::*;

const CACHES: [Cache; 4] = [Cache::Back, Cache::Through, Cache::SwitchedOff, Cache::Unknown];
const MEDIA: [Medium; 4] = [Medium::Flash, Medium::Platters, Medium::Virtual, Medium::Unknown];
const FLUSHES: [Flush; 4] = [Flush::Free, Flush::Cheap, Flush::Slow, Flush::Unmeasured];
const PACES: [Pace; 4] = [Pace::Fast, Pace::Middling, Pace::Slow, Pace::Unmeasured];

/// What `judge` must say, one row for each cache, medium and flush; a word for each of the paces fast, middling, slow.
/// Where the cache is unknown or switched off, or something was not measured, one word holds for all.
const TABLE: &str = "
back    flash    free  | ignored    ignored    ignored
back    flash    cheap | works      works      works
back    flash    slow  | unprotected unprotected unprotected
back    platters free  | too_fast   too_fast   ignored
back    platters cheap | too_fast   too_fast   works
back    platters slow  | too_fast   too_fast   works
back    virtual  free  | ignored    ignored    ignored
back    virtual  cheap | works      works      works
back    virtual  slow  | works      works      works
back    unknown  free  | ignored    ignored    ignored
back    unknown  cheap | works      works      works
back    unknown  slow  | works      works      works
through flash    free  | fast       through    through
through flash    cheap | fast       through    through
through flash    slow  | fast       through    through
through platters free  | too_fast   too_fast   through
through platters cheap | too_fast   too_fast   through
through platters slow  | too_fast   too_fast   through
through virtual  free  | through    through    through
through virtual  cheap | through    through    through
through virtual  slow  | through    through    through
through unknown  free  | through    through    through
through unknown  cheap | through    through    through
through unknown  slow  | through    through    through
";

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Unknown => "unknown",
        Verdict::FlushSwitchedOff => "switched_off",
        Verdict::FlushIgnoredOrCacheProtected => "ignored",
        Verdict::TooFastForPlatters => "too_fast",
        Verdict::NoPowerLossProtection => "unprotected",
        Verdict::FlushWorks => "works",
        Verdict::WriteThrough => "through",
        Verdict::WriteThroughFast => "fast",
    }
}

/// The row's words, if the table has it.
fn row(seen: Seen) -> Option<Vec<&'static str>> {
    let key = format!("{:?} {:?} {:?}", seen.cache, seen.medium, seen.flush).to_lowercase();
    let (_, words) = TABLE
        .lines()
        .filter_map(|line| line.split_once('|'))
        .find(|(left, _)| left.split_whitespace().collect::<Vec<_>>().join(" ") == key)?;
    Some(words.split_whitespace().collect())
}

fn expected(seen: Seen) -> &'static str {
    match seen.cache {
        Cache::SwitchedOff => return "switched_off",
        Cache::Unknown => return "unknown",
        Cache::Back | Cache::Through => {}
    }
    let column = match seen.pace {
        Pace::Fast => 0,
        Pace::Middling => 1,
        Pace::Slow => 2,
        Pace::Unmeasured => return "unknown",
    };
    if seen.flush == Flush::Unmeasured {
        return "unknown";
    }
    row(seen).and_then(|words| words.get(column).copied()).expect("the table has every row")
}

fn every_combination() -> Vec<Seen> {
    let mut all = Vec::new();
    for cache in CACHES {
        for medium in MEDIA {
            for flush in FLUSHES {
                all.extend(PACES.map(|pace| Seen { cache, medium, flush, pace }));
            }
        }
    }
    all
}

#[test]
fn every_combination_has_the_verdict_of_the_table() {
    let all = every_combination();
    assert_eq!(all.len(), 256);
    for seen in all {
        assert_eq!(word(judge(seen)), expected(seen), "{seen:?}");
    }
}

/// What must hold of any table: no drive with an unprotected cache is called fine for being fast, none is accused that
/// has nothing to flush, and certainty is claimed of nothing but the host's own settings.
#[test]
fn verdicts_are_no_bolder_than_what_was_seen() {
    for seen in every_combination() {
        let verdict = judge(seen);
        if seen.cache == Cache::Back && seen.flush == Flush::Free {
            assert!(verdict.suspected() || verdict == Verdict::Unknown, "{seen:?}");
        }
        if verdict.suspected() {
            assert!(
                matches!(seen.cache, Cache::Back | Cache::SwitchedOff) || seen.medium == Medium::Platters,
                "{seen:?} accuses a drive without a cache"
            );
        }
        if verdict == Verdict::NoPowerLossProtection {
            assert_eq!((seen.medium, seen.flush), (Medium::Flash, Flush::Slow));
        }
        let hedged =
            ["cannot be seen", "only its data sheet", "its word", "seems", "is as safe as", "does not say", "unless"];
        assert!(hedged.iter().any(|hedge| verdict.drive().reason.contains(hedge)), "{verdict:?} claims certainty");
    }
}

fn device(write_cache: &str, drive_cache: &str, options: &str) -> Device {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Device {
        write_cache: text(write_cache),
        drive_cache: text(drive_cache),
        mount_options: text(options),
        ..Device::default()
    }
}

#[test]
fn the_cache_is_what_the_host_makes_of_it() {
    let cases = [
        (device("write back", "", "rw,relatime"), Cache::Back),
        (device("write back", "write back", ""), Cache::Back),
        (device("write back", "", "rw,nobarrier"), Cache::SwitchedOff),
        (device("write back", "", "rw,barrier=0"), Cache::SwitchedOff),
        (device("write through", "", "rw,nobarrier"), Cache::Through),
        (device("write through", "write through", ""), Cache::Through),
        (device("write through", "write back", ""), Cache::SwitchedOff),
        (device("", "write back", ""), Cache::Unknown),
        (device("", "", ""), Cache::Unknown),
    ];
    for (device, cache) in cases {
        assert_eq!(Cache::of(&device), cache, "{device:?}");
    }
}

#[test]
fn a_virtual_disk_is_told_by_its_name_or_model_and_not_by_what_it_says_of_platters() {
    let device = |name: &str, model: &str, rotational| Device {
        name: Some(name.to_owned()),
        model: Some(model.to_owned()),
        rotational,
        ..Device::default()
    };
    assert_eq!(Medium::of(&device("vda", "", Some(true))), Medium::Virtual);
    assert_eq!(Medium::of(&device("nvme0n1", "Amazon Elastic Block Store", Some(false))), Medium::Virtual);
    assert_eq!(Medium::of(&device("sda", "QEMU HARDDISK", Some(true))), Medium::Virtual);
    assert_eq!(Medium::of(&device("sda", "ST4000NM", Some(true))), Medium::Platters);
    assert_eq!(Medium::of(&device("nvme0n1", "SAMSUNG MZQL2960", Some(false))), Medium::Flash);
    assert_eq!(Medium::of(&Device::default()), Medium::Unknown);
}

#[test]
fn times_fall_into_classes_at_their_bounds() {
    assert_eq!(Flush::of(Some(100.0), Some(125.0)), Flush::Free);
    assert_eq!(Flush::of(Some(100.0), Some(126.0)), Flush::Cheap);
    assert_eq!(Flush::of(Some(100.0), Some(90.0)), Flush::Free);
    assert_eq!(Flush::of(Some(100.0), Some(599.0)), Flush::Cheap);
    assert_eq!(Flush::of(Some(100.0), Some(600.0)), Flush::Slow);
    assert_eq!(Flush::of(None, Some(600.0)), Flush::Unmeasured);
    assert_eq!(Pace::of(Some(499.0)), Pace::Fast);
    assert_eq!(Pace::of(Some(500.0)), Pace::Middling);
    assert_eq!(Pace::of(Some(2000.0)), Pace::Slow);
    assert_eq!(Pace::of(None), Pace::Unmeasured);
}
