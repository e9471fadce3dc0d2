//! UpdateFeatures: v0-2 (KIP-584)
//!
//! Behaviour: all updates are made, or none; the levels are kept in the controller's log. The checks and their words are
//! those of Kafka's `FeatureControlManager`.
//!
//! Version notes:
//! - v1 kinds of upgrade, and asking without changing anything (KIP-778)
//! - v2 answers for all features at once

use std::collections::BTreeMap;

use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::update_features_request::FeatureUpdateKey;
use thalweg_protocol::messages::update_features_response::UpdatableFeatureResult;
use thalweg_protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};

use super::creation::Refused;
use crate::controller::Command;
use crate::dispatch::Context;
use crate::metadata::ClusterImage;
use crate::metadata::features::{self, Feature, METADATA_VERSION};

const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;
const UNSAFE_DOWNGRADE: i8 = 3;

pub async fn handle(context: Context, request: UpdateFeaturesRequest) -> UpdateFeaturesResponse {
    if let Err(refused) = update(&context, &request).await {
        let message =
            format!("The update failed for all features since the following feature had an error: {}", refused.message);
        return UpdateFeaturesResponse::default()
            .with_error_code(refused.code.code())
            .with_error_message(Some(StrBytes::from_string(message)));
    }
    let response = UpdateFeaturesResponse::default().with_error_message(None);
    if context.version > 1 {
        return response;
    }
    // Kafka's word where nothing is wrong.
    let done = StrBytes::from_static_str(ErrorCode::None.name());
    let updated = |update: FeatureUpdateKey| {
        UpdatableFeatureResult::default().with_feature(update.feature).with_error_message(Some(done.clone()))
    };
    response.with_results(request.feature_updates.into_iter().map(updated).collect())
}

async fn update(context: &Context, request: &UpdateFeaturesRequest) -> Result<(), Refused> {
    let node = context.core.shared.config.node_id.0;
    let levels = check_all(&context.core.image(), node, &request.feature_updates)?;
    if !request.validate_only && !levels.is_empty() {
        context.core.change(Command::SetFeatures { levels }).await?;
    }
    Ok(())
}

fn check_all(image: &ClusterImage, node: i32, updates: &[FeatureUpdateKey]) -> Result<BTreeMap<String, i16>, Refused> {
    let proposed: BTreeMap<String, i16> =
        updates.iter().map(|update| (update.feature.to_string(), update.max_version_level)).collect();
    for update in updates {
        check(image, node, update, &proposed)?;
    }
    Ok(proposed)
}

fn check(
    image: &ClusterImage,
    node: i32,
    update: &FeatureUpdateKey,
    proposed: &BTreeMap<String, i16>,
) -> Result<(), Refused> {
    let (name, level, kind) = (&*update.feature, update.max_version_level, update.upgrade_type);
    let invalid = |why: String| {
        let message = format!("Invalid update version {level} for feature {name}. {why}");
        Err(Refused::new(ErrorCode::InvalidUpdateVersion, message))
    };
    if !(UPGRADE..=UNSAFE_DOWNGRADE).contains(&kind) {
        return invalid("The controller does not support the given upgrade type.".to_owned());
    }
    if level < 0 {
        return invalid("A feature version cannot be less than 0.".to_owned());
    }
    let Some(feature) = features::find(name) else {
        // What is to be removed is looked for first.
        return invalid(if level == 0 {
            format!("Feature {name} not found.")
        } else {
            format!("Local controller {node} does not support this feature.")
        });
    };
    if !(feature.min..=feature.max).contains(&level) {
        let Feature { min, max, .. } = feature;
        return invalid(format!("Local controller {node} only supports versions {min}-{max}"));
    }
    let current = image.feature(name);
    if level < current && kind == UPGRADE {
        return invalid(
            "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe \
             downgrade."
                .to_owned(),
        );
    }
    if level > current && kind != UPGRADE {
        return invalid("Can't downgrade to a newer version.".to_owned());
    }
    if name == METADATA_VERSION && level < current {
        return Err(metadata_downgrade(level, kind));
    }
    match feature.requires.filter(|_| level > 0) {
        Some((other, least)) if proposed.get(other).copied().unwrap_or_else(|| image.feature(other)) < least => {
            invalid(format!("{name} could not be set to {level} because it depends on {other} level {least}"))
        }
        _ => Ok(()),
    }
}

/// The metadata's version never goes down: what a newer one wrote would be lost.
fn metadata_downgrade(level: i16, kind: i8) -> Refused {
    let why = if kind == SAFE_DOWNGRADE {
        "Refusing to perform the requested downgrade because it might delete metadata information."
    } else {
        "Unsafe metadata downgrade is not supported in this version."
    };
    Refused::new(ErrorCode::InvalidUpdateVersion, format!("Invalid metadata.version {level}. {why}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn asked(updates: &[(&'static str, i16, i8)]) -> Result<BTreeMap<String, i16>, String> {
        let update = |(name, level, kind): &(&'static str, i16, i8)| {
            FeatureUpdateKey::default()
                .with_feature(StrBytes::from_static_str(name))
                .with_max_version_level(*level)
                .with_upgrade_type(*kind)
        };
        let mut image = ClusterImage::default();
        image.apply(Command::SetFeatures { levels: BTreeMap::from([("group.version".to_owned(), 0)]) }).unwrap();
        let updates: Vec<_> = updates.iter().map(update).collect();
        check_all(&image, 1, &updates).map_err(|refused| refused.message)
    }

    #[test]
    fn levels_go_up_and_down_as_the_kind_says() {
        assert_eq!(
            asked(&[("transaction.version", 0, SAFE_DOWNGRADE), ("group.version", 1, UPGRADE)]).unwrap().len(),
            2
        );
        for (update, why) in [
            (("transaction.version", 1, UPGRADE), "without setting the upgrade type"),
            (("group.version", 1, SAFE_DOWNGRADE), "Can't downgrade to a newer version"),
            (("transaction.version", 3, UPGRADE), "Local controller 1 only supports versions 0-2"),
            (("no.such.version", 1, UPGRADE), "Local controller 1 does not support this feature"),
            (("no.such.version", 0, UNSAFE_DOWNGRADE), "Feature no.such.version not found"),
            (("transaction.version", -1, SAFE_DOWNGRADE), "cannot be less than 0"),
            (("transaction.version", 2, 4), "does not support the given upgrade type"),
            (("metadata.version", 7, SAFE_DOWNGRADE), "might delete metadata information"),
            (("metadata.version", 7, UNSAFE_DOWNGRADE), "Unsafe metadata downgrade"),
        ] {
            let message = asked(&[update]).unwrap_err();
            assert!(message.contains(why), "{message}");
        }
    }

    #[test]
    fn one_that_is_refused_refuses_all() {
        assert!(asked(&[("transaction.version", 0, SAFE_DOWNGRADE), ("share.version", 9, UPGRADE)]).is_err());
    }
}
