//! Files that cannot be used say why.

use store::{Store, StoreError};

#[tokio::test]
async fn a_file_that_cannot_be_used_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let open = async |name: &str| {
        let url = format!("sqlite:{}", directory.path().join(name).display());
        Store::open(&url).await.err().unwrap()
    };
    assert!(matches!(open("missing/bifrost.db").await, StoreError::CannotOpen(_)));
    std::fs::write(directory.path().join("text.db"), "this is no database, ".repeat(200)).unwrap();
    let damaged = open("text.db").await;
    assert!(matches!(damaged, StoreError::Damaged(_)), "{damaged:?}");
}

#[tokio::test]
async fn a_database_that_cannot_be_written_is_refused_for_serving() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("bifrost.db").display());
    drop(Store::create(&url).await.unwrap());
    let refused = Store::create(&format!("{url}?mode=ro")).await.err().unwrap();
    assert!(matches!(refused, StoreError::ReadOnly), "{refused:?}");
    Store::create(&url).await.unwrap();
}
