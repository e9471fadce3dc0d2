//! DescribeConfigs, AlterConfigs, IncrementalAlterConfigs.

use thalweg_protocol::messages::alter_configs_request as alter;
use thalweg_protocol::messages::describe_configs_request::DescribeConfigsResource;
use thalweg_protocol::messages::incremental_alter_configs_request as incremental;
use thalweg_protocol::messages::{AlterConfigsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest};

use crate::asker::{Asker, string};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

pub fn ask(asker: &mut Asker) {
    asker.create("configured", 1, &[]);
    let name = asker.name("configured");
    describe(asker, &name);
    incremental(asker, &name);
    replace(asker, &name);
}

fn describe(asker: &mut Asker, name: &str) {
    let resource = |kind, name: &str, keys: Option<&[&str]>| {
        let keys = keys.map(|keys| keys.iter().map(|key| string(key)).collect());
        DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(string(name))
            .with_configuration_keys(keys)
    };
    let one: Option<&[&str]> = Some(&["retention.ms"]);
    let missing = asker.name("missing");
    let cases = [
        ("one key", vec![resource(TOPIC, name, one)]),
        ("an unknown key", vec![resource(TOPIC, name, Some(&["no.such.key"]))]),
        ("one key twice", vec![resource(TOPIC, name, Some(&["retention.ms", "retention.ms"]))]),
        ("one topic twice", vec![resource(TOPIC, name, one), resource(TOPIC, name, one)]),
        ("an unknown topic", vec![resource(TOPIC, &missing, one)]),
        ("an invalid topic name", vec![resource(TOPIC, "a b", one)]),
        ("an empty topic name", vec![resource(TOPIC, "", one)]),
        ("another broker", vec![resource(BROKER, "99", one)]),
        ("a broker without a number", vec![resource(BROKER, "one", one)]),
        ("all brokers", vec![resource(BROKER, "", Some(&["log.retention.ms"]))]),
        ("resource type 0", vec![resource(0, name, one)]),
        ("resource type 3", vec![resource(3, name, one)]),
        ("resource type 99", vec![resource(99, name, one)]),
        ("another broker's loggers", vec![resource(8, "99", one)]),
        ("no broker's loggers", vec![resource(8, "", one)]),
        ("nothing", Vec::new()),
    ];
    for (case, resources) in cases {
        asker.ask(&format!("settings of {case}"), 4, &DescribeConfigsRequest::default().with_resources(resources));
    }
}

type Change<'a> = (&'a str, i8, Option<&'a str>);

fn changes(kind: i8, name: &str, changes: &[Change]) -> incremental::AlterConfigsResource {
    let changes = changes.iter().map(|(key, operation, value)| {
        incremental::AlterableConfig::default()
            .with_name(string(key))
            .with_config_operation(*operation)
            .with_value(value.map(string))
    });
    incremental::AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(string(name))
        .with_configs(changes.collect())
}

fn incremental(asker: &mut Asker, name: &str) {
    let cases: [(&str, &[Change]); 20] = [
        ("append to a list", &[("cleanup.policy", APPEND, Some("compact"))]),
        ("append what is there", &[("cleanup.policy", APPEND, Some("compact"))]),
        ("append nonsense", &[("cleanup.policy", APPEND, Some("shred"))]),
        ("append two", &[("cleanup.policy", APPEND, Some("delete,compact"))]),
        ("subtract what is there", &[("cleanup.policy", SUBTRACT, Some("compact"))]),
        ("subtract what is not there", &[("cleanup.policy", SUBTRACT, Some("compact"))]),
        ("subtract the last", &[("cleanup.policy", SUBTRACT, Some("delete"))]),
        ("append to a number", &[("retention.ms", APPEND, Some("1"))]),
        ("subtract from a number", &[("retention.ms", SUBTRACT, Some("1"))]),
        ("set null", &[("retention.ms", SET, None)]),
        ("append null", &[("cleanup.policy", APPEND, None)]),
        ("set nothing", &[("retention.ms", SET, Some(""))]),
        ("set nonsense", &[("retention.ms", SET, Some("soon"))]),
        ("set an unknown key", &[("no.such.key", SET, Some("1"))]),
        ("delete an unknown key", &[("no.such.key", DELETE, None)]),
        ("delete what was never set", &[("segment.bytes", DELETE, None)]),
        ("delete with a value", &[("segment.bytes", DELETE, Some("5"))]),
        ("operation 9", &[("retention.ms", 9, Some("1"))]),
        ("one key twice", &[("retention.ms", SET, Some("1000")), ("retention.ms", SET, Some("2000"))]),
        ("no key", &[]),
    ];
    let request = |resources| IncrementalAlterConfigsRequest::default().with_resources(resources);
    for (case, wanted) in cases {
        asker.ask(&format!("change {case}"), 1, &request(vec![changes(TOPIC, name, wanted)]));
    }
    let shown = DescribeConfigsResource::default().with_resource_type(TOPIC).with_resource_name(string(name));
    let shown = shown.with_configuration_keys(Some(vec![string("cleanup.policy"), string("retention.ms")]));
    let shown = DescribeConfigsRequest::default().with_resources(vec![shown]);
    asker.ask("changed, all of that", 4, &shown);
    let set: &[Change] = &[("retention.ms", SET, Some("1000"))];
    let missing = asker.name("missing");
    for (case, kind, name) in [
        ("an unknown topic", TOPIC, missing.as_str()),
        ("an invalid topic name", TOPIC, "a b"),
        ("an empty topic name", TOPIC, ""),
        ("another broker", BROKER, "99"),
        ("a broker without a number", BROKER, "one"),
        ("resource type 0", 0, name),
        ("resource type 3", 3, name),
        ("resource type 99", 99, name),
    ] {
        asker.ask(&format!("change {case}"), 1, &request(vec![changes(kind, name, set)]).with_validate_only(true));
    }
    let twice = vec![changes(TOPIC, name, set), changes(TOPIC, name, set)];
    asker.ask("change one topic twice", 1, &request(twice));
    let read_only: &[Change] = &[("broker.id", SET, Some("5"))];
    asker.ask("change what cannot change", 1, &request(vec![changes(BROKER, "1", read_only)]).with_validate_only(true));
    let nonsense: &[Change] = &[("log.retention.ms", SET, Some("soon"))];
    asker.ask("set a broker to nonsense", 1, &request(vec![changes(BROKER, "1", nonsense)]).with_validate_only(true));
    let half: &[Change] = &[("retention.ms", SET, Some("5000")), ("segment.bytes", SET, Some("x"))];
    asker.ask("change half right", 1, &request(vec![changes(TOPIC, name, half)]));
    asker.ask("changed, half right", 4, &shown);
}

fn replace(asker: &mut Asker, name: &str) {
    let resource = |kind, name: &str, settings: &[(&str, Option<&str>)]| {
        let settings = settings
            .iter()
            .map(|(key, value)| alter::AlterableConfig::default().with_name(string(key)).with_value(value.map(string)));
        alter::AlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(string(name))
            .with_configs(settings.collect())
    };
    let request = |resources| AlterConfigsRequest::default().with_resources(resources).with_validate_only(true);
    let missing = asker.name("missing");
    let cases = [
        ("an unknown key", vec![resource(TOPIC, name, &[("no.such.key", Some("1"))])]),
        ("a null value", vec![resource(TOPIC, name, &[("retention.ms", None)])]),
        ("nonsense", vec![resource(TOPIC, name, &[("retention.ms", Some("soon"))])]),
        ("no setting", vec![resource(TOPIC, name, &[])]),
        ("an unknown topic", vec![resource(TOPIC, &missing, &[])]),
        ("another broker", vec![resource(BROKER, "99", &[])]),
        ("resource type 99", vec![resource(99, name, &[])]),
    ];
    for (case, resources) in cases {
        asker.ask(&format!("replace with {case}"), 2, &request(resources));
    }
}
