//! SASL and delegation tokens, which this version does not have. Listeners that ask for them are refused.

use super::reasons;
use crate::config::schema::{
    Check::{Any, AtLeast, Between, OneOfAnyCase},
    ConfigKey,
    DefaultValue::{Is, Unset},
    Use::NoEffect,
    keys,
};

pub(super) const KEYS: &[ConfigKey] = keys! {
    "sasl.enabled.mechanisms": List = Is("GSSAPI"), Any, Medium, PerBroker, NoEffect(reasons::SASL);
        "Mechanisms that clients may authenticate with."
    "sasl.jaas.config": Password = Unset, Any, Medium, PerBroker, NoEffect(reasons::SASL);
        "JAAS login context of a listener and mechanism."
    "sasl.client.callback.handler.class": Class = Unset, Any, Medium, ReadOnly, NoEffect(reasons::SASL);
        "Client callback handler class."
    "sasl.login.callback.handler.class": Class = Unset, Any, Medium, ReadOnly, NoEffect(reasons::SASL);
        "Login callback handler class."
    "sasl.login.class": Class = Unset, Any, Medium, ReadOnly, NoEffect(reasons::SASL);
        "Login class."
    "sasl.server.callback.handler.class": Class = Unset, Any, Medium, ReadOnly, NoEffect(reasons::SASL);
        "Server callback handler class."
    "sasl.server.max.receive.size": Int = Is("524288"), Any, Medium, ReadOnly, NoEffect(reasons::SASL);
        "Largest SASL message accepted before a client is authenticated."
    "sasl.mechanism.inter.broker.protocol": String = Is("GSSAPI"), Any, Medium, PerBroker, NoEffect(reasons::SASL);
        "Mechanism between Kafka's brokers."
    "sasl.mechanism.controller.protocol": String = Is("GSSAPI"), Any, High, ReadOnly, NoEffect(reasons::SASL);
        "Mechanism towards Kafka's controllers."
    "sasl.kerberos.kinit.cmd": String = Is("/usr/bin/kinit"), Any, Medium, PerBroker, NoEffect(reasons::SASL);
        "Path of kinit."
    "sasl.kerberos.min.time.before.relogin": Long = Is("60000"), Any, Medium, PerBroker, NoEffect(reasons::SASL);
        "Least pause in ms between two logins."
    "sasl.kerberos.principal.to.local.rules": List = Is("DEFAULT"), Any, Medium, PerBroker, NoEffect(reasons::SASL);
        "Rules from Kerberos principals to short names."
    "sasl.kerberos.service.name": String = Unset, Any, Medium, PerBroker, NoEffect(reasons::SASL);
        "Kerberos service name of the brokers."
    "sasl.kerberos.ticket.renew.jitter": Double = Is("0.05"), Any, Medium, PerBroker, NoEffect(reasons::SASL);
        "Random share added to the renewal time."
    "sasl.kerberos.ticket.renew.window.factor": Double = Is("0.8"), Any, Medium, PerBroker, NoEffect(reasons::SASL);
        "Share of a ticket's life after which it is renewed."
    "sasl.login.connect.timeout.ms": Int = Unset, Any, Low, ReadOnly, NoEffect(reasons::SASL);
        "Longest wait for a connection to an authentication provider."
    "sasl.login.read.timeout.ms": Int = Unset, Any, Low, ReadOnly, NoEffect(reasons::SASL);
        "Longest wait for an authentication provider's answer."
    "sasl.login.refresh.buffer.seconds": Short = Is("300"), Any, Medium, PerBroker, NoEffect(reasons::SASL);
        "Time before expiry by which a credential is refreshed."
    "sasl.login.refresh.min.period.seconds": Short = Is("60"), Any, Medium, PerBroker, NoEffect(reasons::SASL);
        "Least time between two refreshes."
    "sasl.login.refresh.window.factor": Double = Is("0.8"), Any, Medium, PerBroker, NoEffect(reasons::SASL);
        "Share of a credential's life after which it is refreshed."
    "sasl.login.refresh.window.jitter": Double = Is("0.05"), Any, Medium, PerBroker, NoEffect(reasons::SASL);
        "Random share added to that time."
    "sasl.login.retry.backoff.max.ms": Long = Is("10000"), Any, Low, ReadOnly, NoEffect(reasons::SASL);
        "Longest pause between login tries."
    "sasl.login.retry.backoff.ms": Long = Is("100"), Any, Low, ReadOnly, NoEffect(reasons::SASL);
        "First pause between login tries."
    "sasl.oauthbearer.assertion.algorithm": String = Is("RS256"), OneOfAnyCase(&["ES256", "RS256"]), Medium, ReadOnly, NoEffect(reasons::SASL);
        "Algorithm that signs an OAuth assertion."
    "sasl.oauthbearer.assertion.claim.aud": String = Unset, Any, Medium, ReadOnly, NoEffect(reasons::SASL);
        "Audience claim of an OAuth assertion."
    "sasl.oauthbearer.assertion.claim.exp.seconds": Int = Is("300"), Between(0, 86_400), Low, ReadOnly, NoEffect(reasons::SASL);
        "Life of an OAuth assertion."
    "sasl.oauthbearer.assertion.claim.iss": String = Unset, Any, Medium, ReadOnly, NoEffect(reasons::SASL);
        "Issuer claim of an OAuth assertion."
    "sasl.oauthbearer.assertion.claim.jti.include": Boolean = Is("false"), Any, Medium, ReadOnly, NoEffect(reasons::SASL);
        "Whether an OAuth assertion gets an id."
    "sasl.oauthbearer.assertion.claim.nbf.seconds": Int = Is("60"), Between(0, 3_600), Low, ReadOnly, NoEffect(reasons::SASL);
        "How far back an OAuth assertion is already valid."
    "sasl.oauthbearer.assertion.claim.sub": String = Unset, Any, Medium, ReadOnly, NoEffect(reasons::SASL);
        "Subject claim of an OAuth assertion."
    "sasl.oauthbearer.assertion.file": String = Unset, Any, Medium, ReadOnly, NoEffect(reasons::SASL);
        "File that holds a finished OAuth assertion."
    "sasl.oauthbearer.assertion.private.key.file": String = Unset, Any, Medium, ReadOnly, NoEffect(reasons::SASL);
        "File of the key that signs OAuth assertions."
    "sasl.oauthbearer.assertion.private.key.passphrase": Password = Unset, Any, Medium, ReadOnly, NoEffect(reasons::SASL);
        "Passphrase of that key."
    "sasl.oauthbearer.assertion.template.file": String = Unset, Any, Medium, ReadOnly, NoEffect(reasons::SASL);
        "File with more headers and claims for OAuth assertions."
    "sasl.oauthbearer.client.credentials.client.id": String = Unset, Any, Medium, ReadOnly, NoEffect(reasons::SASL);
        "Client id of the OAuth client credentials grant."
    "sasl.oauthbearer.client.credentials.client.secret": Password = Unset, Any, Medium, ReadOnly, NoEffect(reasons::SASL);
        "Client secret of that grant."
    "sasl.oauthbearer.clock.skew.seconds": Int = Is("30"), Any, Low, ReadOnly, NoEffect(reasons::SASL);
        "Difference between clocks that token checks allow for."
    "sasl.oauthbearer.expected.audience": List = Is(""), Any, High, ReadOnly, NoEffect(reasons::SASL);
        "Audiences that a token may be for."
    "sasl.oauthbearer.expected.issuer": String = Unset, Any, High, ReadOnly, NoEffect(reasons::SASL);
        "Issuer that a token must come from."
    "sasl.oauthbearer.jwks.endpoint.refresh.ms": Long = Is("3600000"), Any, Low, ReadOnly, NoEffect(reasons::SASL);
        "How often the provider's keys are fetched again."
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms": Long = Is("10000"), Any, Low, ReadOnly, NoEffect(reasons::SASL);
        "Longest pause between tries to fetch keys."
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms": Long = Is("100"), Any, Low, ReadOnly, NoEffect(reasons::SASL);
        "First pause between tries to fetch keys."
    "sasl.oauthbearer.jwks.endpoint.url": String = Unset, Any, Medium, ReadOnly, NoEffect(reasons::SASL);
        "Where the provider's keys are."
    "sasl.oauthbearer.jwt.retriever.class": Class = Is("org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever"), Any, Medium, ReadOnly, NoEffect(reasons::SASL);
        "Class that fetches tokens."
    "sasl.oauthbearer.jwt.validator.class": Class = Is("org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator"), Any, Medium, ReadOnly, NoEffect(reasons::SASL);
        "Class that checks tokens."
    "sasl.oauthbearer.scope": String = Unset, Any, Medium, ReadOnly, NoEffect(reasons::SASL);
        "Scope that a token is asked for."
    "sasl.oauthbearer.scope.claim.name": String = Is("scope"), Any, Low, ReadOnly, NoEffect(reasons::SASL);
        "Claim that holds the scope."
    "sasl.oauthbearer.sub.claim.name": String = Is("sub"), Any, Low, ReadOnly, NoEffect(reasons::SASL);
        "Claim that holds the subject."
    "sasl.oauthbearer.token.endpoint.url": String = Unset, Any, Medium, ReadOnly, NoEffect(reasons::SASL);
        "Where tokens are fetched."
    "delegation.token.expiry.check.interval.ms": Long = Is("3600000"), AtLeast(1), Low, ReadOnly, NoEffect(reasons::TOKEN);
        "How often expired delegation tokens are removed."
    "delegation.token.expiry.time.ms": Long = Is("86400000"), AtLeast(1), Medium, ReadOnly, NoEffect(reasons::TOKEN);
        "Life of a delegation token between renewals."
    "delegation.token.max.lifetime.ms": Long = Is("604800000"), AtLeast(1), Medium, ReadOnly, NoEffect(reasons::TOKEN);
        "Longest life of a delegation token."
    "delegation.token.secret.key": Password = Unset, Any, Medium, ReadOnly, NoEffect(reasons::TOKEN);
        "Key that signs delegation tokens."
};
