//! The settings of groups (the `GROUP` resources of KIP-848): changing them, as pure functions over the table. What Kafka's
//! `GroupConfig.validate` looks at, in its words.

use super::alter::{self, AlterError, Alteration, Change, Of};
use super::layers::{BrokerLayers, Overrides};
use super::tables;
use crate::share::reset::ShareReset;

/// IncrementalAlterConfigs of a group whose own settings are `current`.
pub fn alter_group(
    current: &Overrides,
    alterations: &[Alteration],
    layers: &BrokerLayers,
) -> Result<Change, AlterError> {
    let after = alter::apply(current, alterations, Of::Group)?;
    check(&after, layers)?;
    Ok(alter::difference(current, after, tables::group_key))
}

/// AlterConfigs of a group: `entries` are all that it sets itself from now on.
pub fn replace_group(
    current: &Overrides,
    entries: &[(String, Option<String>)],
    layers: &BrokerLayers,
) -> Result<Change, AlterError> {
    let replaced = alter_group(&Overrides::new(), &alter::as_alterations(entries), layers)?;
    Ok(alter::difference(current, replaced.set, tables::group_key))
}

fn check(overrides: &Overrides, layers: &BrokerLayers) -> Result<(), AlterError> {
    for (name, text) in overrides {
        let Some(key) = tables::group_key(name) else {
            return Err(AlterError::config(format!("Unknown group config name: {name}")));
        };
        key.parse(text).map_err(|invalid| AlterError::config(invalid.to_string()))?;
        check_bounds(name, text, layers)?;
        check_reset(name, text)?;
    }
    for kind in ["consumer", "share", "streams"] {
        let of = |rest: &str| number(&format!("{kind}.{rest}"), overrides, layers);
        if of("session.timeout.ms") <= of("heartbeat.interval.ms") {
            let message = format!("{kind}.session.timeout.ms must be greater than {kind}.heartbeat.interval.ms");
            return Err(AlterError::config(message));
        }
    }
    Ok(())
}

/// What Kafka's `ShareGroupAutoOffsetResetStrategy` reads.
fn check_reset(name: &str, text: &str) -> Result<(), AlterError> {
    if name != "share.auto.offset.reset" || ShareReset::parse(text).is_some() {
        return Ok(());
    }
    let expected = "must be earliest, latest or by_duration:PnDTnHnMn.nS";
    Err(AlterError::config(format!("Invalid value {text} for configuration {name}: {expected}")))
}

/// The broker says how far a group may go.
fn check_bounds(name: &str, text: &str, layers: &BrokerLayers) -> Result<(), AlterError> {
    let Ok(value) = text.trim().parse::<i64>() else { return Ok(()) };
    let synonyms = tables::group_synonyms(name);
    let bound =
        |key: Option<&'static str>| key.and_then(|key| Some((key, layers.text(key)?.trim().parse::<i64>().ok()?)));
    if let Some((key, min)) = bound(synonyms.min)
        && value < min
    {
        return Err(AlterError::config(format!("{name} must be greater than or equal to {key}")));
    }
    if let Some((key, max)) = bound(synonyms.max)
        && value > max
    {
        return Err(AlterError::config(format!("{name} must be less than or equal to {key}")));
    }
    Ok(())
}

/// The group's own value, or what it gets from the broker.
fn number(name: &str, overrides: &Overrides, layers: &BrokerLayers) -> Option<i64> {
    let own = overrides.get(name).map(String::as_str);
    own.or_else(|| layers.text(tables::group_synonyms(name).default?))?.trim().parse().ok()
}
