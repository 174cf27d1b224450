//! What a cache must do, held against memory, a real Redis and a real cluster.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use cache::{Cache, File, Health};
use domain::Scope;
use std::collections::HashMap;
use support::{ACCESS, acme, file, get, globex, keep, keep_index};
use testkit::redis::{Cluster, Redis};

/// One test for each place where values can be.
macro_rules! everywhere {
    ($($name:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test] async fn $name() {
                super::$name(super::Cache::memory(64 << 20)).await;
            })*
        }
        mod redis {
            $(#[tokio::test] async fn $name() {
                let redis = super::Redis::start();
                super::$name(super::Cache::redis(redis.url().parse().unwrap()).await).await;
            })*
        }
        mod cluster {
            $(#[tokio::test] async fn $name() {
                let cluster = super::Cluster::start();
                super::$name(super::Cache::redis(cluster.url().parse().unwrap()).await).await;
            })*
        }
    };
}

everywhere!(
    what_is_kept_is_found_with_every_byte,
    an_empty_cache_has_nothing,
    another_content_of_the_same_path_is_not_given,
    each_scope_has_its_own,
    nobody_is_given_what_is_of_another_organization,
    many_and_large_files_come_back,
    a_file_that_is_too_large_is_not_kept,
    what_left_the_index_is_removed,
    a_forgotten_organization_has_nothing_and_others_keep_theirs,
);

async fn what_is_kept_is_found_with_every_byte(cache: Cache) {
    assert_ne!(cache.health(), Health::Degraded);
    let contents = [
        ("a.py", b"x = 1\n".to_vec()),
        ("empty.txt", Vec::new()),
        ("ö/\"quoted\" * ?.txt", "größe\0\r\n".as_bytes().to_vec()),
        ("bytes.bin", (0..=255).collect()),
        ("control.txt", vec![1; 10_000]),
    ];
    let files: Vec<_> =
        contents.iter().map(|(path, content)| (file(path, content), content)).collect();
    for (file, content) in &files {
        keep(&cache, acme(), file, content).await;
    }
    let wanted: Vec<_> = files.iter().map(|(file, _)| file).collect();
    let found = cache.contents(&ACCESS(acme()), acme(), &wanted).await;
    let kept = contents.map(|(path, content)| (path.to_owned(), content));
    assert_eq!(found, HashMap::from(kept));
}

async fn an_empty_cache_has_nothing(cache: Cache) {
    assert_eq!(get(&cache, acme(), &file("a.py", b"x = 1\n")).await, None);
    assert!(cache.contents(&ACCESS(acme()), acme(), &[]).await.is_empty());
}

async fn another_content_of_the_same_path_is_not_given(cache: Cache) {
    let (old, new) = (file("a.py", b"old"), file("a.py", b"new"));
    keep(&cache, acme(), &old, b"old").await;
    assert_eq!(get(&cache, acme(), &new).await, None);
    keep(&cache, acme(), &new, b"new").await;
    assert_eq!(get(&cache, acme(), &new).await.as_deref(), Some(&b"new"[..]));
    assert_eq!(get(&cache, acme(), &old).await, None);
}

async fn each_scope_has_its_own(cache: Cache) {
    let scopes = [Scope::Global, acme(), globex()];
    let content = |scope: Scope| scope.column().to_string().into_bytes();
    for scope in scopes {
        let content = content(scope);
        keep(&cache, scope, &file("same.py", &content), &content).await;
    }
    for scope in scopes {
        for other in scopes {
            let found = get(&cache, scope, &file("same.py", &content(other))).await;
            assert_eq!(found, (scope == other).then(|| content(scope)));
            if scope != other {
                // The question was about another content, so the value had to make room.
                keep(&cache, scope, &file("same.py", &content(scope)), &content(scope)).await;
            }
        }
    }
}

async fn nobody_is_given_what_is_of_another_organization(cache: Cache) {
    let secret = file("a.py", b"acme's");
    keep(&cache, acme(), &secret, b"acme's").await;
    for other in [globex(), Scope::Global] {
        assert!(cache.contents(&ACCESS(other), acme(), &[&secret]).await.is_empty());
        cache.keep(&ACCESS(other), acme(), &[(&file("b.py", b"planted"), b"planted")]);
    }
    cache.settle().await;
    assert_eq!(get(&cache, acme(), &file("b.py", b"planted")).await, None);
    keep(&cache, Scope::Global, &secret, b"acme's").await;
    let shared = cache.contents(&ACCESS(acme()), Scope::Global, &[&secret]).await;
    assert_eq!(shared.len(), 1, "Global's is everybody's");
}

async fn many_and_large_files_come_back(cache: Cache) {
    let mut kept: Vec<(File, Vec<u8>)> = Vec::new();
    for number in 0..1_500 {
        let content = format!("number = {number}\n").into_bytes();
        kept.push((file(&format!("many/m{number}.py"), &content), content));
    }
    for number in 0..5_u8 {
        let content = vec![b'a' + number; 1_500_000];
        kept.push((file(&format!("large/{number}.txt"), &content), content));
    }
    let files: Vec<_> = kept.iter().map(|(file, content)| (file, content.as_slice())).collect();
    cache.keep(&ACCESS(acme()), acme(), &files);
    cache.settle().await;
    let wanted: Vec<_> = kept.iter().map(|(file, _)| file).collect();
    let found = cache.contents(&ACCESS(acme()), acme(), &wanted).await;
    assert_eq!(found.len(), kept.len());
    assert!(kept.iter().all(|(file, content)| found.get(&file.path) == Some(content)));
}

async fn a_file_that_is_too_large_is_not_kept(cache: Cache) {
    let content = vec![b'x'; 5 << 20];
    let large = file("large.txt", &content);
    keep(&cache, acme(), &large, &content).await;
    assert_eq!(get(&cache, acme(), &large).await, None);
}

async fn what_left_the_index_is_removed(cache: Cache) {
    let files = [file("a.py", b"a"), file("b.py", b"b")];
    keep_index(&cache, acme(), 7, &files).await;
    for (file, content) in files.iter().zip([b"a", b"b"]) {
        keep(&cache, acme(), file, content).await;
    }
    keep_index(&cache, acme(), 8, &files[..1]).await;
    assert!(get(&cache, acme(), &files[0]).await.is_some());
    assert_eq!(get(&cache, acme(), &files[1]).await, None);
}

async fn a_forgotten_organization_has_nothing_and_others_keep_theirs(cache: Cache) {
    let file = file("a.py", b"a");
    for scope in [acme(), globex(), Scope::Global] {
        keep(&cache, scope, &file, b"a").await;
        keep_index(&cache, scope, 1, std::slice::from_ref(&file)).await;
    }
    cache.forget(acme()).await;
    assert_eq!(get(&cache, acme(), &file).await, None);
    assert!(get(&cache, globex(), &file).await.is_some());
    assert!(get(&cache, Scope::Global, &file).await.is_some());
}
