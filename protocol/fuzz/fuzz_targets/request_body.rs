//! Any bytes as the body of any request. The first byte chooses the API, the second the version.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use thalweg_protocol::known_versions;
use thalweg_protocol::messages::ApiKey;
use thalweg_protocol::request::check_body;

fuzz_target!(|data: &[u8]| {
    let [api, version, body @ ..] = data else { return };
    let apis: Vec<ApiKey> = ApiKey::iter().collect();
    let api = apis[usize::from(*api) % apis.len()];
    let versions = known_versions(api);
    let version = versions.min + i16::from(*version) % (versions.max - versions.min + 1);

    let Ok(behind) = check_body(api as i16, version, body) else { return };
    // The walk lets it pass, so decoding it must not ask for more memory than the process may have.
    let mut rest = Bytes::copy_from_slice(body);
    // (What is written again does not matter: some message types miscount unknown tagged fields when they write them.)
    if api.recode_request(version, &mut rest).is_ok() {
        assert_eq!(rest.len(), behind, "{api:?} version {version}: the walk and the decoder disagree");
    }
});
