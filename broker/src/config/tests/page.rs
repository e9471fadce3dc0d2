//! The reference page is what the tables say.

use std::path::Path;

use crate::config::reference;

#[test]
fn reference_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let page = reference::page();
    if std::env::var_os("THALWEG_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = page.lines().zip(committed.lines()).find(|(ours, theirs)| ours != theirs);
    assert!(
        page == committed,
        "docs/configuration.md is not what the tables say: run THALWEG_WRITE_DOCS=1 cargo test -p thalweg-broker \
         reference_page; first difference: {differs:?}"
    );
}
