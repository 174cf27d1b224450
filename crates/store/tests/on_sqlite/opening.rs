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

#[tokio::test]
async fn many_that_migrate_a_new_file_at_once_find_it_done_once() {
    for _ in 0..5 {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("bifrost.db").display());
        let stores = (0..6).map(|_| {
            let url = url.clone();
            tokio::spawn(async move { Store::create(&url).await })
        });
        for store in stores.collect::<Vec<_>>() {
            store.await.unwrap().unwrap();
        }
    }
}
