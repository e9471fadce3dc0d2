//! Any bytes as the body of any request. The first byte chooses the API, the second the version.
#![no_main]

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestKind};
use libfuzzer_sys::fuzz_target;
use thalweg_protocol::request::check_body;
use thalweg_protocol::known_versions;

fuzz_target!(|data: &[u8]| {
    let [api, version, body @ ..] = data else { return };
    let apis: Vec<ApiKey> = ApiKey::iter().collect();
    let api = apis[usize::from(*api) % apis.len()];
    let versions = known_versions(api);
    let version = versions.min + i16::from(*version) % (versions.max - versions.min + 1);

    if check_body(api as i16, version, body).is_err() {
        return;
    }
    // The walk lets it pass, so decoding it must not ask for more memory than the process may have.
    let mut rest = Bytes::copy_from_slice(body);
    let Ok(request) = RequestKind::decode(api, &mut rest, version) else { return };
    assert!(rest.is_empty(), "{api:?} version {version}: the walk and the decoder disagree");
    let mut again = BytesMut::new();
    if request.encode(&mut again, version).is_ok() {
        assert_eq!(check_body(api as i16, version, &again), Ok(()), "{api:?} version {version}");
    }
});
