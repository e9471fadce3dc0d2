//! Parts of responses that Kafka's schema repeats, alike in every field, and that are yet a type each: filled once here.

use thalweg_protocol::StrBytes;
use thalweg_protocol::messages::{
    BrokerId, alter_configs_response, fetch_response, incremental_alter_configs_response, produce_response,
};

use super::creation::Refused;
use super::topics::BrokerAddress;

/// What became of one resource of AlterConfigs or IncrementalAlterConfigs.
pub struct Altered {
    pub resource_type: i8,
    pub resource_name: StrBytes,
    pub result: Result<(), Refused>,
}

macro_rules! from_address {
    ($($message:ident),+) => {$(
        impl From<BrokerAddress> for $message::NodeEndpoint {
            fn from(BrokerAddress { node, host, port, rack }: BrokerAddress) -> Self {
                Self::default().with_node_id(BrokerId(node)).with_host(host).with_port(port).with_rack(rack)
            }
        }
    )+};
}

macro_rules! from_altered {
    ($($message:ident),+) => {$(
        impl From<Altered> for $message::AlterConfigsResourceResponse {
            fn from(Altered { resource_type, resource_name, result }: Altered) -> Self {
                let response = Self::default().with_resource_type(resource_type).with_resource_name(resource_name);
                match result {
                    Ok(()) => response,
                    Err(refused) => response
                        .with_error_code(refused.code.code())
                        .with_error_message(Some(StrBytes::from_string(refused.message))),
                }
            }
        }
    )+};
}

from_address!(produce_response, fetch_response);
from_altered!(alter_configs_response, incremental_alter_configs_response);
