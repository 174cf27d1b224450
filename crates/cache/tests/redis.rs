//! What can happen to a Redis, and that a cache over it only ever forgets.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use cache::{Cache, Health, Key};
use domain::Scope;
use std::time::{Duration, Instant};
use support::{ACCESS, acme, file, get, globex, keep, keep_index, over};
use testkit::{
    eventually,
    redis::{Cluster, Redis},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// As long as one question may take, and a bit for a busy machine.
const SOON: Duration = Duration::from_secs(2);

async fn health(cache: &Cache, wanted: Health) {
    eventually("the cache's health", async || (cache.health() == wanted).then_some(())).await;
}

#[tokio::test]
async fn keys_values_and_their_time_are_what_the_documentation_says() {
    let redis = Redis::start();
    let cache = over(&redis.url()).await;
    let file = file("shared/halopsa.py", b"x = 1\n");
    for scope in [acme(), Scope::Global] {
        keep(&cache, scope, &file, b"x = 1\n").await;
        keep_index(&cache, scope, 12, std::slice::from_ref(&file)).await;
    }
    let id = acme().column();
    let mut names = Vec::new();
    for word in ["global".to_owned(), id.to_string()] {
        let generation = format!("bifrost:module:generation:{word}");
        let index = format!("bifrost:module:index:{word}");
        assert_eq!(redis.get(&generation).unwrap(), b"12");
        let text: serde_json::Value = serde_json::from_slice(&redis.get(&index).unwrap()).unwrap();
        assert_eq!((&text["org"], &text["generation"]), (&word.as_str().into(), &12.into()));
        let module = format!("bifrost:module:{word}:shared/halopsa.py");
        let text: serde_json::Value = serde_json::from_slice(&redis.get(&module).unwrap()).unwrap();
        assert_eq!(text["org"], word.as_str());
        assert_eq!(text["hash"], domain::content_hash(b"x = 1\n"));
        names.extend([generation, index, module]);
    }
    for name in &names {
        let left: i64 = redis.ask(&["TTL", name]);
        assert!((86_000..=86_400).contains(&left), "{name}: {left}");
    }
    names.sort();
    assert_eq!(redis.keys(), names);
}

#[tokio::test]
async fn whatever_somebody_writes_into_redis_is_never_given() {
    let redis = Redis::start();
    let cache = over(&redis.url()).await;
    let right = file("a.py", b"right");
    keep(&cache, acme(), &right, b"right").await;
    keep(&cache, globex(), &right, b"right").await;
    let key = Key::module(acme(), "a.py");
    let sound = String::from_utf8(redis.get(key.as_str()).unwrap()).unwrap();
    let foreign = redis.get(Key::module(globex(), "a.py").as_str()).unwrap();
    let hash = |text: &str| domain::content_hash(text.as_bytes());
    let evil = sound.replace("\"right\"", "\"wrong\"");
    let matching = evil.replace(&hash("right"), &hash("wrong"));
    for poison in [evil.as_bytes(), matching.as_bytes(), &foreign, b"", b"[]", &vec![b'['; 1 << 20]]
    {
        redis.set(key.as_str(), poison);
        assert_eq!(get(&cache, acme(), &right).await, None, "{poison:.60?}");
        cache.settle().await;
        assert!(poison.is_empty() || redis.get(key.as_str()).is_none(), "{poison:.60?} stayed");
    }
    redis.ask::<()>(&["LPUSH", key.as_str(), &sound]);
    assert_eq!(get(&cache, acme(), &right).await, None);
    assert_eq!(cache.health(), Health::Up, "a wrong value is no fault of Redis");
    keep(&cache, acme(), &right, b"right").await;
    assert_eq!(get(&cache, acme(), &right).await.as_deref(), Some(&b"right"[..]));
}

#[tokio::test]
async fn a_huge_value_under_a_key_is_not_read_to_its_end() {
    let redis = Redis::start();
    let cache = over(&redis.url()).await;
    let file = file("a.py", b"small");
    redis.set(Key::module(acme(), "a.py").as_str(), &vec![b'{'; 300 << 20]);
    let begun = Instant::now();
    assert_eq!(get(&cache, acme(), &file).await, None);
    assert!(begun.elapsed() < SOON && cache.health() == Health::Up, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_forged_index_removes_nothing_of_others() {
    let redis = Redis::start();
    let cache = over(&redis.url()).await;
    let file = file("a.py", b"a");
    keep(&cache, globex(), &file, b"a").await;
    let path = format!("../{}:a.py", globex().column());
    let forged = format!(
        "{{\"org\":\"x\",\"generation\":1,\"files\":[{{\"path\":\"{path}\",\"version\":1,\"hash\":\"\"}}]}}"
    );
    redis.set(Key::index(acme()).as_str(), forged.as_bytes());
    keep_index(&cache, acme(), 2, &[]).await;
    cache.forget(acme()).await;
    assert!(get(&cache, globex(), &file).await.is_some());
    assert_eq!(redis.keys(), [Key::module(globex(), "a.py").as_str()]);
}

#[tokio::test]
async fn a_killed_redis_is_missed_and_found_again() {
    let mut redis = Redis::start();
    let cache = over(&redis.url()).await;
    let file = file("a.py", b"a");
    keep(&cache, acme(), &file, b"a").await;
    assert_eq!(cache.health(), Health::Up);
    redis.kill();
    let begun = Instant::now();
    assert_eq!(get(&cache, acme(), &file).await, None);
    keep(&cache, acme(), &file, b"a").await;
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    health(&cache, Health::Degraded).await;
    redis.restart();
    health(&cache, Health::Up).await;
    assert_eq!(get(&cache, acme(), &file).await, None);
    keep(&cache, acme(), &file, b"a").await;
    assert!(get(&cache, acme(), &file).await.is_some());
}

#[tokio::test]
async fn a_redis_that_hangs_costs_one_short_wait_and_then_none() {
    let redis = Redis::start();
    let cache = over(&redis.url()).await;
    let file = file("a.py", b"a");
    keep(&cache, acme(), &file, b"a").await;
    redis.freeze();
    let begun = Instant::now();
    assert_eq!(get(&cache, acme(), &file).await, None);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert_eq!(cache.health(), Health::Degraded);
    let begun = Instant::now();
    for _ in 0..100 {
        assert_eq!(get(&cache, acme(), &file).await, None);
    }
    assert!(begun.elapsed() < Duration::from_millis(250), "{:?}", begun.elapsed());
    redis.thaw();
    health(&cache, Health::Up).await;
    assert!(get(&cache, acme(), &file).await.is_some());
}

/// A way to Redis on which each answer takes a while; where it begins.
async fn slow_way(redis: &Redis, pause: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (url, port) = (format!("redis://{}", listener.local_addr().unwrap()), redis.port());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
            tokio::spawn(async move {
                let mut bytes = vec![0; 1 << 20];
                while let Ok(count @ 1..) = from_server.read(&mut bytes).await {
                    tokio::time::sleep(pause).await;
                    if to_client.write_all(&bytes[..count]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_redis_holds_a_run_up_for_a_second_and_no_longer() {
    let redis = Redis::start();
    let files: Vec<_> = (0..8_000).map(|number| file(&format!("{number}.py"), b"x")).collect();
    let kept: Vec<_> = files.iter().map(|file| (file, &b"x"[..])).collect();
    let direct = over(&redis.url()).await;
    direct.keep(&ACCESS(acme()), acme(), &kept);
    direct.settle().await;
    let wanted: Vec<_> = files.iter().collect();
    let all = direct.contents(&ACCESS(acme()), acme(), &wanted).await.len();
    assert_eq!(all, files.len());
    let slow = over(&slow_way(&redis, Duration::from_millis(120)).await).await;
    assert_eq!(slow.health(), Health::Up);
    let begun = Instant::now();
    let some = slow.contents(&ACCESS(acme()), acme(), &wanted).await.len();
    // 32 questions of 120 ms each would be four seconds.
    assert!(begun.elapsed() < Duration::from_millis(2_500), "{:?}", begun.elapsed());
    assert!(some < all, "{some} of {all}");
}

#[tokio::test]
async fn a_redis_that_dies_while_nobody_asks_is_noticed() {
    let mut redis = Redis::start();
    let cache = over(&redis.url()).await;
    redis.kill();
    health(&cache, Health::Degraded).await;
}

#[tokio::test]
async fn a_flushed_redis_has_nothing_and_goes_on() {
    let redis = Redis::start();
    let cache = over(&redis.url()).await;
    let file = file("a.py", b"a");
    keep(&cache, acme(), &file, b"a").await;
    redis.flush();
    assert_eq!(get(&cache, acme(), &file).await, None);
    keep(&cache, acme(), &file, b"a").await;
    assert!(get(&cache, acme(), &file).await.is_some());
    assert_eq!(cache.health(), Health::Up);
}

#[tokio::test]
async fn a_full_redis_is_read_and_says_that_it_keeps_nothing() {
    let redis = Redis::start();
    let cache = over(&redis.url()).await;
    let (first, second) = (file("a.py", b"a"), file("b.py", b"b"));
    keep(&cache, acme(), &first, b"a").await;
    redis.fill();
    keep(&cache, acme(), &second, b"b").await;
    assert_eq!(cache.health(), Health::Degraded);
    assert!(get(&cache, acme(), &first).await.is_some());
    assert_eq!(get(&cache, acme(), &second).await, None);
    redis.make_room();
    keep(&cache, acme(), &second, b"b").await;
    assert_eq!(cache.health(), Health::Up);
    assert!(get(&cache, acme(), &second).await.is_some());
}

#[tokio::test]
async fn a_redis_that_is_not_there_at_the_start_is_found_later() {
    let mut redis = Redis::start();
    redis.kill();
    let begun = Instant::now();
    let cache = over(&redis.url()).await;
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert_eq!(cache.health(), Health::Degraded);
    redis.restart();
    health(&cache, Health::Up).await;
}

#[tokio::test]
async fn a_password_opens_and_a_wrong_one_is_told_without_itself() {
    let redis = Redis::with_password("s3cret-word");
    assert_eq!(over(&redis.url()).await.health(), Health::Up);
    assert_eq!(cache::check(&redis.url().parse().unwrap()).await, Ok(()));
    for login in ["", ":wr0ng-word@"] {
        let url = format!("redis://{login}127.0.0.1:{}", redis.port());
        assert_eq!(over(&url).await.health(), Health::Degraded);
        let told = cache::check(&url.parse().unwrap()).await.unwrap_err();
        assert!(told.contains("password") && !told.contains("word@"), "{told}");
        assert!(!told.contains("wr0ng") && !told.contains("s3cret"), "{told}");
    }
    let told = cache::check(&"redis://127.0.0.1:1".parse().unwrap()).await.unwrap_err();
    assert!(told.contains("redis://127.0.0.1:1") && told.contains("--redis-url"), "{told}");
}

#[tokio::test]
async fn a_user_who_may_do_little_is_enough_and_less_is_told() {
    let redis = Redis::with_password("s3cret-word");
    let user = |name: &str, commands: &[&str]| {
        let word = ["ACL", "SETUSER", name, "on", ">word", "~bifrost:module:*"];
        redis.ask::<()>(&[&word[..], commands].concat());
        format!("redis://{name}:word@127.0.0.1:{}", redis.port())
    };
    let file = file("a.py", b"a");
    let cache = over(&user("enough", &["+getrange", "+set", "+unlink", "+ping"])).await;
    keep(&cache, acme(), &file, b"a").await;
    keep_index(&cache, acme(), 1, std::slice::from_ref(&file)).await;
    assert!(get(&cache, acme(), &file).await.is_some());
    assert_eq!(cache.health(), Health::Up);
    let cache = over(&user("reader", &["+getrange", "+ping"])).await;
    keep(&cache, acme(), &file, b"a").await;
    assert!(get(&cache, acme(), &file).await.is_some());
    assert_eq!(cache.health(), Health::Degraded, "it keeps nothing");
    let cache = over(&user("writer", &["+set", "+ping"])).await;
    assert_eq!(get(&cache, acme(), &file).await, None);
    assert_eq!(cache.health(), Health::Degraded, "it gives nothing");
}

#[tokio::test]
async fn a_cluster_has_keys_on_all_its_nodes() {
    let cluster = Cluster::start();
    let cache = over(&cluster.url()).await;
    let files: Vec<_> = (0..64).map(|number| file(&format!("{number}.py"), b"x")).collect();
    let kept: Vec<_> = files.iter().map(|file| (file, &b"x"[..])).collect();
    cache.keep(&ACCESS(acme()), acme(), &kept);
    cache.settle().await;
    let keys = cluster.keys();
    assert!(keys.iter().all(|keys| !keys.is_empty()), "{keys:?}");
    assert_eq!(keys.concat().len(), files.len());
    let wanted: Vec<_> = files.iter().collect();
    assert_eq!(cache.contents(&ACCESS(acme()), acme(), &wanted).await.len(), files.len());
}
