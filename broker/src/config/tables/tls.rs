//! TLS, which this version does not have. Listeners that ask for it are refused.

use super::reasons;
use crate::config::schema::{
    Check::{Any, OneOf},
    ConfigKey,
    DefaultValue::{Is, Unset},
    Use::NoEffect,
    keys,
};

pub(super) const KEYS: &[ConfigKey] = keys! {
    "ssl.allow.dn.changes": Boolean = Is("false"), Any, Low, ReadOnly, NoEffect(reasons::TLS);
        "Whether a dynamically replaced certificate may have another name."
    "ssl.allow.san.changes": Boolean = Is("false"), Any, Low, ReadOnly, NoEffect(reasons::TLS);
        "Whether a dynamically replaced certificate may have other alternative names."
    "ssl.cipher.suites": List = Is(""), Any, Medium, PerBroker, NoEffect(reasons::TLS);
        "Cipher suites that are allowed."
    "ssl.client.auth": String = Is("none"), OneOf(&["required", "requested", "none"]), Medium, PerBroker, NoEffect(reasons::TLS);
        "Whether clients must show a certificate."
    "ssl.enabled.protocols": List = Is("TLSv1.2,TLSv1.3"), Any, Medium, PerBroker, NoEffect(reasons::TLS);
        "TLS versions that are allowed."
    "ssl.endpoint.identification.algorithm": String = Is("https"), Any, Low, PerBroker, NoEffect(reasons::TLS);
        "How a server's name is checked against its certificate."
    "ssl.engine.factory.class": Class = Unset, Any, Low, PerBroker, NoEffect(reasons::TLS);
        "Class that makes TLS engines."
    "ssl.key.password": Password = Unset, Any, Medium, PerBroker, NoEffect(reasons::TLS);
        "Password of the private key."
    "ssl.keymanager.algorithm": String = Is("SunX509"), Any, Medium, PerBroker, NoEffect(reasons::TLS);
        "Java key manager algorithm."
    "ssl.keystore.certificate.chain": Password = Unset, Any, Medium, PerBroker, NoEffect(reasons::TLS);
        "Certificate chain as PEM."
    "ssl.keystore.key": Password = Unset, Any, Medium, PerBroker, NoEffect(reasons::TLS);
        "Private key as PEM."
    "ssl.keystore.location": String = Unset, Any, Medium, PerBroker, NoEffect(reasons::TLS);
        "File of the key store."
    "ssl.keystore.password": Password = Unset, Any, Medium, PerBroker, NoEffect(reasons::TLS);
        "Password of the key store."
    "ssl.keystore.type": String = Is("JKS"), Any, Medium, PerBroker, NoEffect(reasons::TLS);
        "Format of the key store."
    "ssl.principal.mapping.rules": String = Is("DEFAULT"), Any, Low, ReadOnly, NoEffect(reasons::TLS);
        "Rules from certificate names to principals."
    "ssl.protocol": String = Is("TLSv1.3"), Any, Medium, PerBroker, NoEffect(reasons::TLS);
        "TLS version of a new connection."
    "ssl.provider": String = Unset, Any, Medium, PerBroker, NoEffect(reasons::TLS);
        "Java TLS provider."
    "ssl.secure.random.implementation": String = Unset, Any, Low, PerBroker, NoEffect(reasons::TLS);
        "Java random generator."
    "ssl.trustmanager.algorithm": String = Is("PKIX"), Any, Medium, PerBroker, NoEffect(reasons::TLS);
        "Java trust manager algorithm."
    "ssl.truststore.certificates": Password = Unset, Any, Medium, PerBroker, NoEffect(reasons::TLS);
        "Trusted certificates as PEM."
    "ssl.truststore.location": String = Unset, Any, Medium, PerBroker, NoEffect(reasons::TLS);
        "File of the trust store."
    "ssl.truststore.password": Password = Unset, Any, Medium, PerBroker, NoEffect(reasons::TLS);
        "Password of the trust store."
    "ssl.truststore.type": String = Is("JKS"), Any, Medium, PerBroker, NoEffect(reasons::TLS);
        "Format of the trust store."
};
